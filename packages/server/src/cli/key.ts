import type { Command } from 'commander'
import type { ShownKey } from '../administration/keys/keys.ts'
import type { Resealing } from '../administration/keys/resealing.ts'
import { renderDistance, systemNow } from './moment.ts'
import { administering } from './operator.ts'
import { configOption } from './settings-file.ts'
import { renderTable, type Terminal } from './terminal.ts'

interface KeyOptions {
  readonly config?: string
  readonly algorithm?: string
  readonly json?: true
}

/** `holdfast key list|rotate|revoke|reseal` */
export function defineKey(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('List the signing keys. `next` is published before it signs, `retired` as long as its tokens live.')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async ({ config, json }: KeyOptions) => {
      const { keys } = await administering(config, ({ administer }) => administer('key-list', {}))
      terminal.out(json ? JSON.stringify({ keys }, null, 2) : render(keys, terminal))
    })

  command
    .command('rotate')
    .description('Let the next key sign from now on. Tokens that are out stay valid.')
    .option('--algorithm <name>', 'of this algorithm only')
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText('after', '\n  $ holdfast key rotate --algorithm ES256')
    .action(async ({ config, json, algorithm }: KeyOptions) => {
      const data = algorithm === undefined ? {} : { algorithm }
      const { rotated, keys } = await administering(config, ({ administer }) => administer('key-rotate', data))
      terminal.out(json ? JSON.stringify({ rotated, keys }, null, 2) : render(keys, terminal))
      if (keys.some(isHardlyKnown)) terminal.note(hardlyKnown)
    })

  command
    .command('revoke')
    .description('Take a key away that somebody else may have. What it signed is worth nothing from now on.')
    .argument('<kid>', 'as list prints it')
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Clients ask for new tokens. APIs go on taking the old ones until they read the keys
again: with the guard of this product 30 seconds at most; others may take longer.`,
    )
    .action(async (kid: string, { config, json }: KeyOptions) => {
      const { keys } = await administering(config, ({ administer }) => administer('key-revoke', { kid }))
      terminal.out(json ? JSON.stringify({ keys }, null, 2) : render(keys, terminal))
    })

  command
    .command('reseal')
    .description("Encrypt the signing keys and the server's secret under keys.encryptionKey, those that are not yet.")
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
For an encryption key that replaces another, while nodes run. The key before it stays in
keys.otherEncryptionKeys until this says that nothing is left.`,
    )
    .action(async ({ config, json }: KeyOptions) => {
      const result = await administering(config, ({ administer }) => administer('key-reseal', {}))
      terminal.out(json ? JSON.stringify(result, null, 2) : renderResealing(result))
    })
}

/** APIs with our guard ask for the keys every half minute. */
function isHardlyKnown({ stage, created = 0 }: ShownKey): boolean {
  return stage === 'active' && created > systemNow() - 60
}

const hardlyKnown =
  'A key that signs now was published less than a minute ago: APIs that do not know it yet decline its tokens for up to 30 seconds.'

function renderResealing({ resealed, left, encryptionKey }: Resealing): string {
  const done = `Encrypted anew: ${resealed}. The key is ${encryptionKey}.`
  if (left.length === 0) return `${done}\nNothing is encrypted under another key.`
  return `${done}\nStill encrypted under another key: ${left.join(', ')}. Run this again with that key in keys.otherEncryptionKeys.`
}

function render(keys: readonly ShownKey[], { columns, style }: Terminal): string {
  const now = systemNow()
  const rows = keys.map(({ kid, algorithm, stage, created = now, since, expires }) => [
    algorithm,
    stage === 'active' ? style.good(stage) : stage,
    kid,
    expires === undefined ? renderDistance((since ?? created) - now) : `goes ${renderDistance(expires - now)}`,
  ])
  return renderTable([['algorithm', 'stage', 'kid', 'when'].map(style.dim), ...rows], columns)
}
