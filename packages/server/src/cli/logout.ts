import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createClient, createSession, type KeyPair } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { addCredentialOptions, authenticationOf, type ClientCredentials } from './client-options.ts'
import { findRefreshToken, removeSession, requireSession, type Session, sessionDirectory } from './session.ts'
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
Ends the session of this folder: revokes its refresh token, or its token when
there is none, and removes ${sessionDirectory}/ with the keys that were made for
it. The browser stays signed in. A client that has a secret, or signs assertions,
shows that once more.

  $ holdfast logout
  $ holdfast logout --secret-file client.secret`,
    )
    .action(async (options: LogoutOptions) => {
      await logout(options)
      terminal.note('The session has ended.')
    })
}

async function logout(options: LogoutOptions): Promise<void> {
  const session = await requireSession()
  const { issuer, client: client_id, token } = session
  const refresh_token = await findRefreshToken()
  const asked = [caFor(issuer, options.ca), authenticationOf(options), findCertificate(session)] as const
  const [ca, authentication, certificate] = await Promise.all(asked)
  // Revoking takes no proof of the token's key; the certificate is for clients that authenticate by it.
  await using client = createClient({
    issuer,
    client_id,
    binding: 'none',
    ...(authentication ? { authentication } : {}),
    ...(certificate ? { certificate } : {}),
    ...(ca === undefined ? {} : { ca }),
  })
  await (refresh_token === undefined ? client.revoke(token) : client.signOut(createSession({ refresh_token })))
  await removeSession()
}

/** The certificate of the session; none that is gone or has ended, which must not keep anybody from signing out. */
async function findCertificate({ certificate, key }: Session): Promise<KeyPair | undefined> {
  if (certificate === undefined || key === undefined) return undefined
  try {
    const [pem, keyPem] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')])
    const hasEnded = new X509Certificate(pem).validToDate.getTime() < Date.now()
    return hasEnded ? undefined : { certificate: pem, key: keyPem }
  } catch {
    return undefined
  }
}
