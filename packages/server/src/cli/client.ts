import { isJsonObject } from '@holdfast/pop'
import type { Command } from 'commander'
import type { ShownClient } from '../administration/clients.ts'
import { addRegistrationOptions, type ClientOptions, membersOf, needsSecret, secretOf } from './client-registration.ts'
import { administering } from './operator.ts'
import { repeated } from './repeated.ts'
import { configOption } from './settings-file.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** `holdfast client add|list|show|edit|remove` */
export function defineClient(command: Command, terminal: Terminal): void {
  addRegistrationOptions(
    command.command('add').description('Add a client. A generated secret is shown once, and never again.'),
  )
    .addHelpText(
      'after',
      `
Without --method, --certificate with --trust-group registers the subject of the
certificate (tls_client_auth), --certificate alone the certificate itself
(self_signed_tls_client_auth), --jwks keys (private_key_jwt), nothing a secret.

  $ holdfast client add shop --scope api1
  $ holdfast client add till --certificate till.pem --trust-group stores --scope api1
  $ holdfast client add sensor --certificate sensor.pem --scope api1
  $ holdfast client add page --method none --dpop-bound \\
      --grant authorization_code --grant refresh_token \\
      --redirect-uri https://app.example.com/ --web-origin https://app.example.com \\
      --scope "openid offline_access api1"`,
    )
    .action(async (clientId: string, options: ClientOptions) => {
      const members = { client_id: clientId, ...(await membersOf(options)) }
      const secret = await secretOf(options, needsSecret(members))
      const data = { client: members, ...(secret === undefined ? {} : { secret }) }
      report(await administering(options.config, ({ administer }) => administer('client-add', data)), options, terminal)
    })

  command
    .command('list')
    .description('List all clients, those of the settings too.')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async ({ config, json }: ClientOptions) => {
      const { clients } = await administering(config, ({ administer }) => administer('client-list', {}))
      terminal.out(json ? JSON.stringify({ clients }, null, 2) : renderList(clients, terminal))
    })

  command
    .command('show')
    .description('Show one client. Its secret cannot be shown.')
    .argument('<id>', 'client_id')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async (clientId: string, { config, json }: ClientOptions) => {
      const shown = await administering(config, ({ administer }) => administer('client-show', { clientId }))
      terminal.out(json ? JSON.stringify(shown, null, 2) : renderClient(shown.client, terminal))
    })

  addRegistrationOptions(
    command.command('edit').description('Change a client of the store. What is not named stays as it is.'),
  )
    .option(
      '--unset <member>',
      'registered members to take away, such as access_token_lifetime; may be repeated',
      repeated,
    )
    .addHelpText(
      'after',
      `
  $ holdfast client edit shop --scope "api1 api2"
  $ holdfast client edit shop --generate-secret
  $ holdfast client edit shop --disabled`,
    )
    .action(async (clientId: string, options: ClientOptions) => {
      const removed = Object.fromEntries((options.unset ?? []).map((member) => [member, null]))
      const change = { ...removed, ...(await membersOf(options)) }
      const secret = await secretOf(options, false)
      const data = { clientId, change, ...(secret === undefined ? {} : { secret }) }
      report(
        await administering(options.config, ({ administer }) => administer('client-edit', data)),
        options,
        terminal,
      )
    })

  command
    .command('remove')
    .description('Remove a client of the store, and its reference tokens with it. Its JWTs live until they expire.')
    .argument('<id>', 'client_id')
    .option(...configOption)
    .option('--json', 'print JSON')
    .action(async (clientId: string, { config, json }: ClientOptions) => {
      const done = await administering(config, ({ administer }) => administer('client-remove', { clientId }))
      terminal.out(json ? JSON.stringify(done) : `Removed ${done.removed}.`)
    })
}

function report(
  { client, secret }: { readonly client: ShownClient; readonly secret?: string },
  { json }: ClientOptions,
  terminal: Terminal,
): void {
  const { out, style } = terminal
  if (json) out(JSON.stringify({ client, ...(secret === undefined ? {} : { client_secret: secret }) }, null, 2))
  else out([renderClient(client, terminal), ...(secret === undefined ? [] : ['', ...once(secret, style)])].join('\n'))
}

function once(secret: string, { strong, dim }: Terminal['style']): readonly string[] {
  return [
    `${strong('client_secret')}  ${secret}`,
    dim('Keep it now: it is stored as a hash and cannot be shown again.'),
  ]
}

function renderList(clients: readonly ShownClient[], { columns, style }: Terminal): string {
  const rows = clients.map((each) => [
    each.client_id,
    methodOf(each),
    each.readOnly ? 'settings' : 'store',
    [each.scope, each.disabled ? style.bad('disabled') : ''].filter((part) => part !== '').join(' '),
  ])
  return renderTable([['client_id', 'authenticates by', 'from', 'scope'].map(style.dim), ...rows], columns)
}

function renderClient(client: ShownClient, { columns, style }: Terminal): string {
  const { hasSecret, readOnly, jwks, ...members } = client
  const rows = Object.entries({
    ...members,
    token_endpoint_auth_method: methodOf(client),
    ...(jwks ? { jwks: `${jwks.keys.length} key(s)` } : {}),
    secret: hasSecret ? 'set' : 'none',
    stands_in: readOnly ? 'the settings' : 'the store',
  })
  return renderTable(
    rows
      .filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0))
      .map(([name, value]) => [style.dim(name), harmless(isJsonObject(value) ? JSON.stringify(value) : String(value))]),
    columns,
  )
}

function methodOf({ token_endpoint_auth_method, hasSecret }: ShownClient): string {
  return token_endpoint_auth_method ?? (hasSecret ? 'secret, by Basic or form' : 'none')
}
