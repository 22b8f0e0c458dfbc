import { isMoment, type Seconds } from '../../foundation/clock.ts'
import { isJsonObject, type JsonObject } from '../../foundation/json.ts'
import { isKeyFor, type PublicJwk, parsePublicJwk } from '../../foundation/jwk.ts'
import { algorithmOf, isSignedBy, parseJwt, type UnverifiedJwt } from '../../foundation/jws.ts'
import { ClientError } from '../client-error.ts'
import type { ClientContext } from '../context.ts'
import { exchange, onceMore } from '../exchange.ts'

/** Who signed in, as the authorization server says. OpenID Connect Core §2. */
export type IdTokenClaims = JsonObject & { readonly iss: string; readonly sub: string }

/** What an ID token must say. */
export interface IdTokenExpectation {
  readonly issuer: string
  readonly client_id: string
  readonly nonce: string
  readonly jwks_uri: string | undefined
}

/** Believes an ID token, or throws. */
export type IdTokens = (id_token: unknown, expected: IdTokenExpectation) => Promise<IdTokenClaims>

/** How far the clocks of client and server may be apart. */
const clockTolerance: Seconds = 60

/**
 * Creates the check of ID tokens: signature by a key of the server, issuer, audience, expiry, nonce. The keys are kept
 * until one is missing. OpenID Connect Core §3.1.3.7.
 */
export function createIdTokens(context: ClientContext, timeout: Seconds): IdTokens {
  let known: readonly JsonObject[] = []
  const keysFor = async (jwt: UnverifiedJwt, uri: string | undefined): Promise<readonly PublicJwk[]> => {
    const kept = fittingKeys(jwt, known)
    if (kept.length > 0) return kept
    if (uri === undefined) throw new ClientError('endpoint_missing', { detail: 'jwks_uri' })
    known = await fetchKeys(uri, timeout, context)
    return fittingKeys(jwt, known)
  }
  return async (id_token, expected) => {
    const jwt = typeof id_token === 'string' ? parseJwt(id_token) : undefined
    if (!jwt) throw invalid('There is none that can be read.')
    if (!(await isSignedByOne(jwt, await keysFor(jwt, expected.jwks_uri), context))) {
      throw invalid('It is not signed by a key of the server.')
    }
    return requireClaims(jwt.claims, expected, context.now())
  }
}

/** How many keys of one name, or without any, are tried. */
const mostKeys = 4

/** The keys that may have signed it. */
function fittingKeys(jwt: UnverifiedJwt, keys: readonly JsonObject[]): readonly PublicJwk[] {
  const algorithm = algorithmOf(jwt)
  const { kid } = jwt.header
  if (!algorithm) return []
  const named = keys.filter((key) => (kid ?? key.kid) === key.kid && (key.alg ?? algorithm) === algorithm)
  const parsed = named.flatMap((key) => parsePublicJwk(key) ?? [])
  return parsed.filter((key) => isKeyFor(algorithm, key)).slice(0, mostKeys)
}

async function isSignedByOne(
  jwt: UnverifiedJwt,
  keys: readonly PublicJwk[],
  context: Pick<ClientContext, 'verify'>,
): Promise<boolean> {
  for (const key of keys) if (await isSignedBy(jwt, key, context)) return true
  return false
}

function requireClaims(
  claims: JsonObject,
  { issuer, client_id, nonce }: IdTokenExpectation,
  now: Seconds,
): IdTokenClaims {
  const { iss, sub, aud, exp, iat, nbf = 0, azp } = claims
  if (iss !== issuer) throw invalid('It is by another issuer.')
  if (typeof sub !== 'string' || sub === '') throw invalid('Its sub is empty.')
  const audience: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!audience.includes(client_id)) throw invalid('It is for another client.')
  if ((audience.length > 1 || azp !== undefined) && azp !== client_id) throw invalid('It is for another client.')
  if (!isMoment(exp) || !isMoment(iat) || !isMoment(nbf))
    throw invalid('It does not say from when until when it counts.')
  if (now >= exp + clockTolerance) throw invalid('It has expired.')
  if (now < nbf - clockTolerance) throw invalid('It does not count yet.')
  if (claims.nonce !== nonce) throw invalid('Its nonce belongs to another sign-in.')
  return { ...claims, iss, sub }
}

async function fetchKeys(uri: string, timeout: Seconds, context: ClientContext): Promise<readonly JsonObject[]> {
  const request = { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(timeout * 1000) }
  const { status, json } = await onceMore(() => exchange(uri, request, context))
  const keys: readonly unknown[] | undefined = Array.isArray(json?.keys) ? json.keys : undefined
  if (status !== 200 || !keys?.every(isJsonObject)) {
    throw new ClientError('metadata_malformed', { status, detail: 'jwks_uri' })
  }
  return keys
}

function invalid(detail: string): ClientError {
  return new ClientError('id_token_invalid', { detail })
}
