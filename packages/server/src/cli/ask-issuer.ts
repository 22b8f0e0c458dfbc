import {
  authorizationServerMetadataUrl,
  isJsonObject,
  isSignedBy,
  type JsonObject,
  parseJsonObject,
  parsePublicJwk,
  type UnverifiedJwt,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { createClient, MutualTls } from '@holdfast/pop/client/node'
import { authenticationOf, type ClientCredentials, issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import type { Findings } from './findings.ts'
import { harmless } from './terminal.ts'
import { caFor } from './trust.ts'

/** Who asks an issuer about a token, and which issuer. */
export interface Asking extends ClientCredentials {
  readonly issuer?: string
  readonly client?: string
  readonly ca?: string
}

/** Verifies a token with the keys of an issuer. The token is not sent. */
export async function signatureOf(
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

/** Sends a token to its issuer, for what that says of it. */
export async function introspect(token: string, jwt: UnverifiedJwt | undefined, options: Asking): Promise<JsonObject> {
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
