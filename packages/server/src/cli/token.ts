import { parseJwt } from '@holdfast/pop'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { createClient } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { addCredentialOptions, authenticationOf, type ClientCredentials, issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { readTextFile } from './input-file.ts'
import { renderDistance, systemNow } from './moment.ts'
import { repeated } from './repeated.ts'
import { programName } from './self.ts'
import { keepCertificate, keepSession, sessionDirectory } from './session.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface TokenOptions extends ClientCredentials {
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
    .option('--cert <file>', 'PEM of your own certificate instead of one made on the fly')
    .option('--key <file>', 'PEM of its private key')
    .option('--ephemeral', 'make a certificate on the fly: what happens without --cert')
    .option('--unbound', 'present no certificate: the token, if there is one, is bound to nothing')
    .option(...caOption)
    .option('--json', 'print the token response as JSON, with where the certificate lies')
    .addHelpText(
      'after',
      `
The token alone is printed to standard output. It is kept with its certificate
in ${sessionDirectory}/, readable by you only: call, steal and inspect use them.

  $ holdfast token --client client --secret secret --scope api1
  $ HOLDFAST_CLIENT_SECRET=... holdfast token --client client --scope api1
  $ holdfast token --client mtls --scope api1 \\
      --cert .holdfast/tls/mtls.pem --key .holdfast/tls/mtls.key`,
    )
    .action(async (options: TokenOptions) => {
      const gotten = await getToken(options)
      if (options.json) terminal.out(JSON.stringify(gotten, null, 2))
      else {
        terminal.out(gotten.access_token)
        terminal.note(render(gotten, terminal))
      }
    })
}

type Gotten = Awaited<ReturnType<typeof getToken>>

/** Gets a token and keeps it as the session of this folder. */
async function getToken(options: TokenOptions) {
  const { client: client_id, unbound } = options
  const issuer = await issuerOf(options.issuer)
  const [ca, pair, authentication] = await Promise.all([
    caFor(issuer, options.ca),
    unbound ? undefined : pairOf(options),
    authenticationOf(options),
  ])
  await using client = createClient({
    issuer,
    client_id,
    binding: unbound ? 'none' : 'certificate',
    ...(pair ? { certificate: pair } : {}),
    ...(authentication ? { authentication } : {}),
    ...(options.scope === undefined ? {} : { scope: options.scope }),
    ...(options.resource === undefined ? {} : { resource: options.resource }),
    ...(ca === undefined ? {} : { ca }),
  })
  const { access_token, token_type, scope, expires, confirmation } = await client.token()
  const files = pair && (pair.files ?? (await keepCertificate(pair)))
  await keepSession({ issuer, client: client_id, token: access_token, ...files })
  return {
    access_token,
    token_type,
    expires_in: expires === undefined ? undefined : expires - systemNow(),
    scope,
    cnf: confirmation,
    form: parseJwt(access_token) ? 'JWT' : 'reference',
    thumbprint: (await client.certificate())?.thumbprint,
    ...files,
  }
}

function render(gotten: Gotten, { style, columns }: Terminal): string {
  const { form, scope, expires_in: expires, certificate = 'none' } = gotten
  const rows = [
    ['form', form],
    ['bound to', boundTo(gotten)],
    ['certificate', certificate],
    ...(scope === undefined ? [] : [['scope', scope]]),
    ...(expires === undefined ? [] : [['expires', renderDistance(expires)]]),
    ['kept in', `${sessionDirectory}/`],
    ['next', `${programName()} call URL`],
  ]
  return renderTable(
    rows.map(([name = '', value = '']) => [style.dim(name), harmless(value)]),
    columns,
  )
}

/** What the token says; a reference token says nothing, so it is what the server was shown. */
function boundTo({ cnf, thumbprint, form }: Gotten): string {
  const bound = cnf?.['x5t#S256']
  if (bound !== undefined) return `x5t#S256 ${bound}`
  if (thumbprint !== undefined && form === 'reference')
    return `the server knows: introspection tells; it was shown x5t#S256 ${thumbprint}`
  return 'nothing: whoever has this token can use it'
}

async function pairOf({ cert, key, client }: TokenOptions): Promise<{
  readonly certificate: string
  readonly key: string
  readonly files?: { certificate: string; key: string }
}> {
  if ((cert === undefined) !== (key === undefined)) throw new Failure(2, 'Give --cert and --key together.')
  if (cert === undefined || key === undefined) return await createClientCertificate({ name: client })
  const [certificate, privateKey] = await Promise.all([readTextFile(cert), readTextFile(key)])
  return { certificate, key: privateKey, files: { certificate: cert, key } }
}
