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
import { renderTable, type Terminal } from './terminal.ts'
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
The token alone is printed to standard output. It is kept with its certificate in
${sessionDirectory}/, readable by you only, where call, steal and inspect find them.

  $ holdfast token --client client --secret secret --scope api1
  $ HOLDFAST_CLIENT_SECRET=... holdfast token --client client --scope api1
  $ holdfast token --client mtls --scope api1 \\
      --cert .holdfast/tls/mtls.pem --key .holdfast/tls/mtls.key`,
    )
    .action(async (options: TokenOptions) => {
      const { client: client_id, scope, resource, json, unbound } = options
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
        ...(scope === undefined ? {} : { scope }),
        ...(resource === undefined ? {} : { resource }),
        ...(ca === undefined ? {} : { ca }),
      })
      const token = await client.token()
      const files = pair && (pair.files ?? (await keepCertificate(pair)))
      await keepSession({ issuer, client: client_id, token: token.access_token, ...files })
      const thumbprint = (await client.certificate())?.thumbprint
      const expires = token.expires === undefined ? undefined : token.expires - systemNow()
      const form = parseJwt(token.access_token) ? 'JWT' : 'reference'
      if (json) {
        const { access_token, token_type, scope: granted, confirmation } = token
        terminal.out(
          JSON.stringify(
            {
              access_token,
              token_type,
              expires_in: expires,
              scope: granted,
              cnf: confirmation,
              form,
              thumbprint,
              ...files,
            },
            null,
            2,
          ),
        )
        return
      }
      terminal.out(token.access_token)
      const bound = token.confirmation?.['x5t#S256']
      const { style } = terminal
      terminal.note(
        renderTable(
          [
            ['form', form],
            ['bound to', boundTo(bound, thumbprint, form)],
            ['certificate', files ? files.certificate : 'none'],
            ...(token.scope === undefined ? [] : [['scope', token.scope]]),
            ...(expires === undefined ? [] : [['expires', renderDistance(expires)]]),
            ['kept in', `${sessionDirectory}/`],
            ['next', `${programName()} call URL`],
          ].map(([name = '', value = '']) => [style.dim(name), value]),
          terminal.columns,
        ),
      )
    })
}

/** What the token says; a reference token says nothing, so it is what the server was shown. */
function boundTo(bound: string | undefined, shown: string | undefined, form: string): string {
  if (bound !== undefined) return `x5t#S256 ${bound}`
  if (shown !== undefined && form === 'reference')
    return `the server keeps it: introspection tells; shown was x5t#S256 ${shown}`
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
