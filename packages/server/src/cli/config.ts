import type { JsonObject } from '@holdfast/pop'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { readFiles } from '../outbound/files.ts'
import { parseSettings, type Settings, settingsJsonSchema } from '../settings.ts'
import { checkEncryptionKeys } from '../store/encryption-key.ts'
import { configOption, readSettingsFile } from './settings-file.ts'
import type { Terminal } from './terminal.ts'

/** `holdfast config check|print|schema` */
export function defineConfig(command: Command, terminal: Terminal): void {
  command
    .command('check')
    .description('Say whether the settings can be used: exit 0, or 78 with what is wrong.')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async ({ config: given, json }: { config?: string; json?: true }) => {
      const { file, directory, written } = await readSettingsFile(given)
      const { issuer, keys } = readFiles(parseSettings(written), directory)
      checkEncryptionKeys(keys)
      terminal.out(json ? JSON.stringify({ file, issuer, usable: true }) : `${file}: usable. Issuer: ${issuer}`)
    })

  command
    .command('print')
    .description('Print the settings as they work, with every default. Secrets are redacted.')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async ({ config: given, json }: { config?: string; json?: true }) => {
      const settings = parseSettings((await readSettingsFile(given)).written)
      const shown = redacted(settings)
      const notes = notesOn(settings)
      if (json) terminal.out(JSON.stringify({ settings: shown, notes }, null, 2))
      else terminal.out([...notes.map((note) => `# ${note}`), stringify(shown).trimEnd()].join('\n'))
    })

  command
    .command('schema')
    .description('Print the JSON Schema of the settings, for editors.')
    .action(() => terminal.out(JSON.stringify(settingsJsonSchema(), null, 2)))
}

/** The settings without what is secret in them. */
export function redacted({ clients, people, store, replay, ...rest }: Settings): JsonObject {
  return withoutKeys({
    ...rest,
    replay: { ...replay, ...(replay.redis && { redis: replay.redis.map(withoutPassword) }) },
    store: store.postgres === undefined ? store : { ...store, postgres: withoutPassword(store.postgres) },
    clients: clients.map(({ client_secret, client_secret_hash, ...client }) => ({
      ...client,
      ...(client_secret === undefined ? {} : { client_secret: '[redacted]' }),
      ...(client_secret_hash === undefined ? {} : { client_secret_hash: '[redacted]' }),
    })),
    people: {
      directory: people.directory.map(({ password, password_hash, ...person }) => ({
        ...person,
        [password === undefined ? 'password_hash' : 'password']: '[redacted]',
      })),
    },
  })
}

/** Up to the last `@`: one that stands in a password belongs to it, escaped or not. */
function withoutPassword(address: string): string {
  return address.replace(/:\/\/.*@/, '://[redacted]@').replace(/password=[^&]*/g, 'password=[redacted]')
}

/** What follows from the settings and is easily overlooked. */
export function notesOn({ mutualTls: { trustGroups } }: Settings): readonly string[] {
  return Object.entries(trustGroups)
    .filter(([, { crl }]) => crl === undefined)
    .map(([name]) => `mutualTls.trustGroups.${name}: revocation is off, since there is no crl.`)
}

/** A PEM text may hold a private key wherever one may be written, beside a certificate too. */
function withoutKeys(settings: JsonObject): JsonObject {
  const redact = (_: string, value: unknown) =>
    typeof value === 'string' && value.includes('PRIVATE KEY') ? '[redacted]' : value
  return JSON.parse(JSON.stringify(settings, redact))
}
