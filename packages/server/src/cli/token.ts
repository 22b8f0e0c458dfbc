import { createClientCertificate, thumbprintOf } from '@holdfast/pop/certificates'
import { ClientError, createClient } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { addCredentialOptions, authenticationOf, type ClientCredentials, issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { readCertificateFile, readTextFile } from './input-file.ts'
import { type KeptToken, keepToken, renderKept, type ShownCertificate } from './kept-token.ts'
import { addDpopOptions, chosenProofKey, type DpopOptions } from './proof-key.ts'
import { repeated } from './repeated.ts'
import { sessionDirectory } from './session.ts'
import type { Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface TokenOptions extends ClientCredentials, DpopOptions {
  readonly issuer?: string
  readonly client: string
  readonly scope?: string
  readonly resource?: readonly string[]
  readonly cert?: string
  readonly key?: string
  readonly unbound?: true
  readonly ca?: string
  readonly json?: true
}

/** `holdfast token` */
export function defineToken(command: Command, terminal: Terminal): void {
  command.requiredOption('--client <id>', 'client_id')
  addCredentialOptions(command)
    .option('--issuer <url>', 'authorization server (default: the development server of this folder)')
    .option('--scope <scope>', 'scopes, separated by spaces')
    .option('--resource <uri>', 'APIs that the token is for; may be repeated', repeated)
    .option(
      '--cert <file>',
      'PEM of your own certificate instead of one made on the fly; with --dpop it only authenticates',
    )
    .option('--key <file>', 'PEM of its private key')
    .option('--ephemeral', 'make a certificate on the fly: what happens without --cert and --dpop')
  addDpopOptions(command)
    .option('--unbound', 'present no certificate: the token, if there is one, is bound to nothing')
    .option(...caOption)
    .option('--json', 'print the token response as JSON, with where its keys lie')
    .addHelpText(
      'after',
      `
The token alone is printed to standard output. It is kept with what it is bound
to in ${sessionDirectory}/, readable by you only: call, steal and inspect use it.

  $ holdfast token --client client --secret secret --scope api1
  $ holdfast token --client client --secret secret --scope api1 --dpop
  $ HOLDFAST_CLIENT_SECRET=... holdfast token --client client --scope api1
  $ holdfast token --client mtls --scope api1 \\
      --cert .holdfast/tls/mtls.pem --key .holdfast/tls/mtls.key`,
    )
    .action(async (options: TokenOptions) => {
      const gotten = await getToken(options)
      if (options.json) terminal.out(JSON.stringify(gotten, null, 2))
      else {
        terminal.out(gotten.access_token)
        terminal.note(renderKept(gotten, ['form', gotten.form], terminal))
      }
    })
}

/** Gets a token and keeps it as the session of this folder. */
async function getToken(options: TokenOptions): Promise<KeptToken> {
  const { client: client_id, unbound } = options
  const issuer = await issuerOf(options.issuer)
  const proofKey = await chosenProofKey(options)
  if (proofKey && unbound) throw new Failure(2, 'Give --dpop or --unbound, not both: a proof binds the token.')
  const [ca, pair, authentication] = await Promise.all([
    caFor(issuer, options.ca),
    pairOf(options, unbound !== undefined || proofKey !== undefined),
    authenticationOf(options),
  ])
  await using client = createClient({
    issuer,
    client_id,
    binding: proofKey ? 'dpop' : unbound ? 'none' : 'certificate',
    ...(pair ? { certificate: pair } : {}),
    ...(proofKey ? { proofKey: proofKey.key } : {}),
    ...(authentication ? { authentication } : {}),
    ...(options.scope === undefined ? {} : { scope: options.scope }),
    ...(options.resource === undefined ? {} : { resource: options.resource }),
    ...(ca === undefined ? {} : { ca }),
  })
  const token = await client.token().catch((cause: unknown) => {
    throw isOfPeople(cause) ? new Failure(1, `${cause.message} ${signInFor(client_id)}`, cause) : cause
  })
  return await keepToken(token, { issuer, client: client_id, certificate: pair, proofKey })
}

/** The client may have no token of its own. */
function isOfPeople(cause: unknown): cause is ClientError {
  return cause instanceof ClientError && cause.error === 'unauthorized_client'
}

function signInFor(client: string): string {
  return `If it acts for people, somebody signs in: holdfast login --client ${client}`
}

/** @param spared a certificate that nobody brought is not needed either */
async function pairOf({ cert, key, client }: TokenOptions, spared: boolean): Promise<ShownCertificate | undefined> {
  if ((cert === undefined) !== (key === undefined)) throw new Failure(2, 'Give --cert and --key together.')
  if (cert === undefined || key === undefined)
    return spared ? undefined : await createClientCertificate({ name: client })
  const { der } = await readCertificateFile(cert)
  const [certificate, privateKey] = await Promise.all([readTextFile(cert), readTextFile(key)])
  return { certificate, key: privateKey, thumbprint: thumbprintOf(der), files: { certificate: cert, key } }
}
