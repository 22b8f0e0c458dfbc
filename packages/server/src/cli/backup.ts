import { resolve } from 'node:path'
import type { Command } from 'commander'
import { readFiles } from '../outbound/files.ts'
import { parseSettings, type Settings } from '../settings.ts'
import { backUp, restore } from '../store/backup.ts'
import { asideOf } from '../store/replaced.ts'
import { Failure } from './exit.ts'
import { systemNow } from './moment.ts'
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
      const { database, key } = await placesOf(config)
      const made = await backUp(database, resolve(file))
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
      const { database } = await placesOf(options.config)
      const now = systemNow()
      const aside = asideOf(database, now)
      const restored = await restore(resolve(file), database, { aside, ...(!options.keepTokens && { end: now }) })
      if (options.json) return terminal.out(JSON.stringify({ ...restored, ended: !options.keepTokens }))
      terminal.out(`${database}: restored, ${sizeOf(restored.bytes)}. What was there is kept as ${database}${aside}`)
      terminal.note(
        options.keepTokens
          ? 'What was used up or revoked since the backup is valid again until it expires.'
          : 'Sessions, codes and tokens from before have ended.',
      )
      terminal.note('Clients that were added, changed or disabled since the backup are as they were then.')
    })
}

async function placesOf(config: string | undefined): Promise<{ readonly database: string; readonly key: string }> {
  const { directory, written } = await readSettingsFile(config)
  const { store, keys }: Settings = readFiles(parseSettings(written), directory)
  if (store.postgres !== undefined)
    throw new Failure(
      78,
      'The store is a PostgreSQL server: use pg_dump and pg_restore, or the backups of your provider.',
    )
  return { database: store.file, key: keys.encryptionKey ?? '' }
}

function sizeOf(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
