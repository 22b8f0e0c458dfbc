import type { Command } from 'commander'
import type { ShownKey } from '../administration/keys.ts'
import { renderDistance, systemNow } from './moment.ts'
import { administering } from './operator.ts'
import { configOption } from './settings-file.ts'
import { renderTable, type Terminal } from './terminal.ts'

interface KeyOptions {
  readonly config?: string
  readonly algorithm?: string
  readonly json?: true
}

/** `holdfast key list|rotate|revoke` */
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
again: with the guard of this product ten minutes at most, or restart them.`,
    )
    .action(async (kid: string, { config, json }: KeyOptions) => {
      const { keys } = await administering(config, ({ administer }) => administer('key-revoke', { kid }))
      terminal.out(json ? JSON.stringify({ keys }, null, 2) : render(keys, terminal))
    })
}

function render(keys: readonly ShownKey[], { columns, style }: Terminal): string {
  const now = systemNow()
  const rows = keys.map(({ kid, algorithm, stage, created, since, expires }) => [
    algorithm,
    stage === 'active' ? style.good(stage) : stage,
    kid,
    expires === undefined ? renderDistance((since ?? created) - now) : `goes ${renderDistance(expires - now)}`,
  ])
  return renderTable([['algorithm', 'stage', 'kid', 'when'].map(style.dim), ...rows], columns)
}
