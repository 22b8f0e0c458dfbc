import { createClient, createSession } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { addCredentialOptions, authenticationOf, type ClientCredentials } from './client-options.ts'
import { findRefreshToken, removeSession, requireSession, sessionDirectory } from './session.ts'
import type { Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface LogoutOptions extends ClientCredentials {
  readonly ca?: string
}

/** `holdfast logout` */
export function defineLogout(command: Command, terminal: Terminal): void {
  addCredentialOptions(command)
    .option(...caOption)
    .addHelpText(
      'after',
      `
Ends the session of this folder: revokes its refresh token, or its token when there is
none, and removes ${sessionDirectory}/. The browser stays signed in. A client that has
a secret, or signs assertions, shows that once more.

  $ holdfast logout
  $ holdfast logout --secret-file client.secret`,
    )
    .action(async (options: LogoutOptions) => {
      await logout(options)
      terminal.note('The session has ended.')
    })
}

async function logout(options: LogoutOptions): Promise<void> {
  const { issuer, client: client_id, token } = await requireSession()
  const refresh_token = await findRefreshToken()
  const [ca, authentication] = await Promise.all([caFor(issuer, options.ca), authenticationOf(options)])
  // A refresh token is revoked by its client without proof of its key: whoever has it may end it.
  await using client = createClient({
    issuer,
    client_id,
    binding: 'none',
    ...(authentication ? { authentication } : {}),
    ...(ca === undefined ? {} : { ca }),
  })
  await (refresh_token === undefined ? client.revoke(token) : client.signOut(createSession({ refresh_token })))
  await removeSession()
}
