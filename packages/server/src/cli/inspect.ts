import { existsSync } from 'node:fs'
import {
  authorizationServerMetadataUrl,
  isJsonObject,
  isSignedBy,
  type JsonObject,
  parseJsonObject,
  parseJwt,
  parsePublicJwk,
  type UnverifiedJwt,
} from '@holdfast/pop'
import { nodePrimitives, thumbprintOf } from '@holdfast/pop/certificates'
import { createClient, MutualTls } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { renderCertificate } from './certificate-facts.ts'
import { addCredentialOptions, authenticationOf, type ClientCredentials, issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { boundTo, type Findings, renderFindings, requireFit } from './findings.ts'
import { certificateIn, readCertificateFile, readTextFile } from './input-file.ts'
import { requireSession } from './session.ts'
import { harmless, type Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface InspectOptions extends ClientCredentials {
  readonly cert?: string
  readonly issuer?: string
  readonly introspect?: true
  readonly client?: string
  readonly ca?: string
  readonly json?: true
}

/** `holdfast inspect` */
export function defineInspect(command: Command, terminal: Terminal): void {
  command
    .argument('[what]', "token, file, @file, or - for standard input (default: the session's token)")
    .option('--cert <file>', 'say whether the token is bound to this certificate')
    .option('--issuer <url>', 'verify the signature with the keys of this issuer; the token is not sent')
    .option('--introspect', 'send the token to its issuer and print what that says of it')
    .option('--client <id>', 'who asks, for --introspect')
  addCredentialOptions(command)
    .option(...caOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit 1 when the signature or the certificate does not fit, or introspection
says inactive.

  $ holdfast inspect
  $ holdfast inspect "$TOKEN" --cert client.pem --issuer https://localhost:5001
  $ holdfast inspect --introspect --client api1 --secret api1-secret
  $ holdfast inspect client.pem`,
    )
    .action(async (what: string | undefined, options: InspectOptions) => {
      const text = await textOf(what, terminal)
      if (text.includes('-----BEGIN CERTIFICATE-----'))
        return terminal.out(renderCertificate(certificateIn(text, what ?? 'the text').der, options.json, terminal))
      const jwt = parseJwt(text)
      if (!jwt && !options.introspect) throw new Failure(1, opaque(text))
      const found = await findOut(text, jwt, options)
      terminal.out(options.json ? JSON.stringify(found, null, 2) : renderFindings(found, terminal))
      requireFit(found)
    })
}

async function findOut(token: string, jwt: UnverifiedJwt | undefined, options: InspectOptions): Promise<Findings> {
  const { cert, issuer, ca } = options
  const introspection = options.introspect ? await introspect(token, jwt, options) : undefined
  const thumbprint = cert === undefined ? undefined : thumbprintOf((await readCertificateFile(cert)).der)
  const bound = thumbprint !== undefined && thumbprint === boundTo(jwt?.claims ?? introspection)
  return {
    ...(jwt ? { header: jwt.header, claims: jwt.claims } : {}),
    ...(introspection ? { introspection } : {}),
    ...(thumbprint === undefined ? {} : { certificate: { 'x5t#S256': thumbprint, bound } }),
    ...(jwt && issuer !== undefined ? { signature: await signatureOf(jwt, issuer, ca) } : {}),
  }
}

async function textOf(what: string | undefined, { input }: Terminal): Promise<string> {
  if (what === undefined) return (await requireSession()).token
  if (what === '-') return (await input()).trim()
  const file = what.startsWith('@') ? what.slice(1) : what
  if (!what.startsWith('@') && !existsSync(what)) return what
  const { pem } = await readCertificateFile(file).catch(() => ({ pem: undefined }))
  return pem ?? (await readTextFile(file)).trim()
}

function opaque(text: string): string {
  return /^[A-Za-z0-9_-]{20,}$/.test(text)
    ? 'This looks like a reference token: it says nothing by itself. Ask its issuer with --introspect --client ID --secret-file FILE.'
    : 'This is neither a JWT nor a certificate.'
}

async function signatureOf(
  jwt: UnverifiedJwt,
  issuer: string,
  ca: string | undefined,
): Promise<NonNullable<Findings['signature']>> {
  const connections = new MutualTls({ ca: await caFor(issuer, ca) })
  try {
    const metadata = await getJson(authorizationServerMetadataUrl(issuer), connections)
    const { jwks_uri } = metadata
    if (metadata.issuer !== issuer) throw new Failure(1, `The metadata of ${issuer} belong to another issuer.`)
    if (typeof jwks_uri !== 'string') throw new Failure(1, `${issuer} names no jwks_uri in its metadata.`)
    const { keys } = await getJson(jwks_uri, connections)
    const written: unknown = Array.isArray(keys)
      ? keys.find((each) => isJsonObject(each) && each.kid === jwt.header.kid)
      : undefined
    const key = parsePublicJwk(written)
    if (!key) return 'unknown key'
    return (await isSignedBy(jwt, key, nodePrimitives)) ? 'valid' : 'invalid'
  } finally {
    await connections.close()
  }
}

async function getJson(url: string, { fetch }: MutualTls): Promise<JsonObject> {
  const response = await fetch(url, { headers: { accept: 'application/json' } })
  const json = parseJsonObject(await response.text())
  if (!response.ok || !json)
    throw new Failure(69, `${url} gives no JSON (status ${response.status}). Is that the issuer?`)
  return json
}

async function introspect(token: string, jwt: UnverifiedJwt | undefined, options: InspectOptions): Promise<JsonObject> {
  const { client: client_id, ca: given } = options
  if (client_id === undefined) throw new Failure(2, '--introspect needs --client, and its secret or key.')
  const claimed = jwt?.claims.iss
  const issuer =
    options.issuer ?? (typeof claimed === 'string' && jwt ? await ownIssuer(claimed) : await issuerOf(undefined))
  const [ca, authentication] = await Promise.all([caFor(issuer, given), authenticationOf(options)])
  await using client = createClient({
    issuer,
    client_id,
    binding: 'none',
    ...(authentication ? { authentication } : {}),
    ...(ca === undefined ? {} : { ca }),
  })
  return await client.introspect(token)
}

/** A token goes to the issuer that the operator knows, never to one that only the token names. */
async function ownIssuer(claimed: string): Promise<string> {
  const own = await issuerOf(undefined).catch(() => undefined)
  if (own === claimed) return own
  throw new Failure(
    2,
    `The token says that it comes from ${harmless(claimed)}. To send it there, write --issuer ${harmless(claimed)}`,
  )
}
