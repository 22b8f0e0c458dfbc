import type { Seconds } from '../foundation/clock.ts'
import { isJsonObject, isStringArray, type JsonObject } from '../foundation/json.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { authorizationServerMetadataUrl, openidConfigurationUrl } from '../oauth/well-known.ts'
import { ClientError, shorten } from './client-error.ts'
import type { ClientContext } from './context.ts'
import { exchange, onceMore } from './exchange.ts'
import { createFlights } from './flights.ts'

/** The endpoints that a client calls directly. */
export type Endpoint =
  | 'pushed_authorization_request_endpoint'
  | 'token_endpoint'
  | 'introspection_endpoint'
  | 'revocation_endpoint'
  | 'userinfo_endpoint'

/** Gives the server's metadata, fetched when needed. */
export type Discovery = (signal: AbortSignal) => Promise<ServerMetadata>

/** How long metadata are believed. */
const lifetime: Seconds = 3600

/**
 * Creates a discovery that fetches the metadata once an hour, however many ask. RFC 8414 §3.
 * @throws {@link ClientError} `issuer_malformed`
 */
export function createDiscovery(issuer: string, context: Pick<ClientContext, 'fetch' | 'now'>): Discovery {
  if (!isIssuer(issuer)) throw new ClientError('issuer_malformed', { detail: shorten(issuer) })
  const flights = createFlights<ServerMetadata>()
  let known: { readonly metadata: ServerMetadata; readonly until: Seconds } | undefined
  return async (signal) => {
    if (known && context.now() < known.until) return known.metadata
    const metadata = await flights(issuer, () => discover(issuer, signal, context))
    known = { metadata, until: context.now() + lifetime }
    return metadata
  }
}

/**
 * Names the address of an endpoint: for a client with a certificate the alias, where there is one. RFC 8705 §5.
 * @throws {@link ClientError} `endpoint_missing`
 */
export function endpointUrl(metadata: ServerMetadata, endpoint: Endpoint, hasCertificate: boolean): string {
  const alias = hasCertificate ? metadata.mtls_endpoint_aliases?.[endpoint] : undefined
  const url = alias ?? metadata[endpoint]
  if (url === undefined) throw new ClientError('endpoint_missing', { detail: endpoint })
  return url
}

async function discover(issuer: string, signal: AbortSignal, context: Pick<ClientContext, 'fetch'>) {
  for (const url of [authorizationServerMetadataUrl(issuer), openidConfigurationUrl(issuer)]) {
    const request = { headers: { accept: 'application/json' }, signal }
    const { status, json } = await onceMore(() => exchange(url, request, context))
    if (status === 404) continue
    if (status >= 500) throw new ClientError('server_unavailable', { status, detail: url })
    if (status !== 200 || !json) throw new ClientError('metadata_malformed', { status, detail: url })
    return parseMetadata(json, issuer)
  }
  throw new ClientError('metadata_unavailable', { status: 404, detail: issuer })
}

const endpoints = [
  'authorization_endpoint',
  'pushed_authorization_request_endpoint',
  'token_endpoint',
  'introspection_endpoint',
  'revocation_endpoint',
  'userinfo_endpoint',
  'end_session_endpoint',
  'jwks_uri',
] as const

/** The issuer is compared byte for byte, and before anything else is believed. RFC 8414 §3.3. */
function parseMetadata(json: JsonObject, issuer: string): ServerMetadata {
  if (json.issuer !== issuer) {
    throw new ClientError('issuer_mismatch', { detail: `Asked for ${issuer}, got ${shorten(json.issuer)}.` })
  }
  const { mtls_endpoint_aliases: aliases, token_endpoint_auth_methods_supported: methods } = json
  const { tls_client_certificate_bound_access_tokens: bound, code_challenge_methods_supported: challenges } = json
  const named = json.authorization_response_iss_parameter_supported
  if (aliases !== undefined && !isJsonObject(aliases)) throw malformed('mtls_endpoint_aliases')
  if (methods !== undefined && !isStringArray(methods)) throw malformed('token_endpoint_auth_methods_supported')
  if (bound !== undefined && typeof bound !== 'boolean') throw malformed('tls_client_certificate_bound_access_tokens')
  if (challenges !== undefined && !isStringArray(challenges)) throw malformed('code_challenge_methods_supported')
  if (named !== undefined && typeof named !== 'boolean') {
    throw malformed('authorization_response_iss_parameter_supported')
  }
  for (const from of aliases ? [json, aliases] : [json]) {
    for (const endpoint of endpoints) requireHttps(endpoint, from[endpoint])
  }
  return json as ServerMetadata
}

function requireHttps(endpoint: string, url: unknown): void {
  if (url === undefined) return
  if (typeof url !== 'string' || !URL.canParse(url)) throw malformed(endpoint)
  const { protocol, username, password, hash } = new URL(url)
  if (protocol !== 'https:' || username || password || hash) {
    throw new ClientError('endpoint_not_https', { detail: `${endpoint}: ${shorten(url)}` })
  }
}

function malformed(member: string): ClientError {
  return new ClientError('metadata_malformed', { detail: member })
}

function isIssuer(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false
  const { protocol, username, password } = new URL(issuer)
  return protocol === 'https:' && !username && !password && !/[?#]/.test(issuer)
}
