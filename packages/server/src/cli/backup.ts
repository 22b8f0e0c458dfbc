import { rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { nodePrimitives } from '@holdfast/pop/certificates'
import type { Command } from 'commander'
import { createSealing } from '../administration/keys/sealing.ts'
import { deriveKey, ensureServerSecret } from '../administration/keys/server-secret.ts'
import type { AuditStamp } from '../model/audit.ts'
import { readFiles } from '../outbound/files.ts'
import type { Store } from '../ports/store.ts'
import { parseSettings, type Settings } from '../settings.ts'
import { loadEncryptionKeys } from '../store/encryption-key.ts'
import { migrations } from '../store/migrator.ts'
import { type Backup, backUp, restore } from '../store/sqlite/backup.ts'
import { asideOf } from '../store/sqlite/replaced.ts'
import { Failure } from './exit.ts'
import { systemNow } from './moment.ts'
import { administering, operatorName } from './operator.ts'
import { configOption, readSettingsFile } from './settings-file.ts'
import type { Terminal } from './terminal.ts'

/** `holdfast backup` */
export function defineBackup(command: Command, terminal: Terminal): void {
  command
    .argument('<file>', 'where the copy goes; not overwritten')
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Copies the SQLite database as it is at this moment, also while a server runs, and
checks the copy. The encryption key is not in it: keep a copy of that elsewhere.
With PostgreSQL use pg_dump, or the backups of your provider.

  $ holdfast backup backups/holdfast-$(date +%F).db`,
    )
    .action(async (file: string, { config, json }: { config?: string; json?: true }) => {
      const { database, keys } = await settingsOf(config)
      const key = keys.encryptionKey ?? ''
      const made = await backUp(database, resolve(file))
      if (made.schema === migrations.length) await record(made, config)
      else terminal.note('Not in the audit log: the database is of an earlier version, which the next start migrates.')
      if (json) return terminal.out(JSON.stringify({ ...made, encryptionKey: key }))
      terminal.out(`${made.file}: ${sizeOf(made.bytes)}, sound.`)
      terminal.note(`Keep a copy of the encryption key too, elsewhere: ${key}`)
    })
}

/** `holdfast restore` */
export function defineRestore(command: Command, terminal: Terminal): void {
  command
    .argument('<file>', 'a copy that holdfast backup has made')
    .option(...configOption)
    .option('--keep-tokens', 'let what was valid at the backup be valid again, used and revoked things too')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Puts a copy in the place of the database; the server must be stopped. The database
that was there is kept beside it. The copy does not know what was used up or revoked
after it was made, so everything that was under way ends: people sign in again,
clients ask for new tokens, and introspection calls older JWTs inactive. Clients,
keys and consents are as they were at the backup.

  $ holdfast restore backups/holdfast-2027-01-31.db`,
    )
    .action(async (file: string, options: { config?: string; keepTokens?: true; json?: true }) => {
      const settings = await settingsOf(options.config)
      const { database } = settings
      const now = systemNow()
      const aside = asideOf(database, now)
      const details = { file: resolve(file), tokens: options.keepTokens ? 'kept' : 'ended' }
      const recorded = (copy: Store) => stampOf({ time: now, details }, settings, copy)
      const restored = await restore(resolve(file), database, {
        aside,
        recorded,
        ...(!options.keepTokens && { end: now }),
      })
      if (options.json) return terminal.out(JSON.stringify({ ...restored, ended: !options.keepTokens }))
      terminal.out(`${database}: restored, ${sizeOf(restored.bytes)}. What was there is kept as ${database}${aside}`)
      terminal.note(
        options.keepTokens
          ? 'What was used up or revoked since the backup is valid again until it expires.'
          : 'Sessions, codes and tokens from before have ended.',
      )
      terminal.note(
        'Clients, signing keys and consents are as they were at the backup: change, disable and revoke again what was since.',
      )
    })
}

/** Nobody has a copy that the audit log does not know of: one that cannot be recorded is removed. */
async function record({ file, bytes }: Backup, config: string | undefined): Promise<void> {
  try {
    await administering(config, ({ administer }) => administer('backup-made', { file, bytes }))
  } catch (cause) {
    rmSync(file, { force: true })
    throw cause
  }
}

/** What the audit log of a restored copy tells: sealed by the secret that is in it. */
async function stampOf(
  told: Pick<AuditStamp, 'time' | 'details'>,
  { keys, node = hostname() }: Settings,
  copy: Store,
): Promise<AuditStamp> {
  const { random } = nodePrimitives
  const secret = await ensureServerSecret({
    store: copy,
    sealing: createSealing(loadEncryptionKeys(keys), random),
    random,
  })
  const actor = `operator:${operatorName()}`
  return { event: 'backup_restored', actor, ...told, node, key: deriveKey(secret, 'audit log') }
}

async function settingsOf(config: string | undefined): Promise<Settings & { readonly database: string }> {
  const { directory, written } = await readSettingsFile(config)
  const settings = readFiles(parseSettings(written), directory)
  const { store } = settings
  if (store.postgres !== undefined)
    throw new Failure(
      78,
      'The store is a PostgreSQL server: use pg_dump and pg_restore, or the backups of your provider.',
    )
  return { ...settings, database: store.file }
}

function sizeOf(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
