import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { Seconds } from '../../foundation/clock.ts'
import { isJsonObject, type JsonObject } from '../../foundation/json.ts'
import { signatureAlgorithms } from '../../foundation/jwk.ts'
import { ClientError, shorten } from '../client-error.ts'
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
  let known: JSONWebKeySet | undefined
  const keysAt = async (uri: string | undefined): Promise<JSONWebKeySet> => {
    if (uri === undefined) throw new ClientError('endpoint_missing', { detail: 'jwks_uri' })
    known = await fetchKeys(uri, timeout, context)
    return known
  }
  return async (id_token, { issuer, client_id, nonce, jwks_uri }) => {
    if (typeof id_token !== 'string' || id_token.length > 16_384) throw invalid('There is none that can be read.')
    const verify = async (keys: JSONWebKeySet): Promise<JWTPayload> => {
      const { payload } = await jwtVerify(id_token, createLocalJWKSet(keys), {
        issuer,
        audience: client_id,
        algorithms: [...signatureAlgorithms],
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
        currentDate: new Date(context.now() * 1000),
        clockTolerance,
      })
      return payload
    }
    const claims = await attempt(verify, { kept: known, fresh: () => keysAt(jwks_uri) })
    if (claims.nonce !== nonce) throw invalid('Its nonce belongs to another sign-in.')
    const others = Array.isArray(claims.aud) && claims.aud.length > 1
    if ((others || claims.azp !== undefined) && claims.azp !== client_id) throw invalid('It is for another client.')
    if (!isIdTokenClaims(claims)) throw invalid('Its sub is empty.')
    return claims
  }
}

/** A key that is not among those that are kept may have come since. */
async function attempt(
  verify: (keys: JSONWebKeySet) => Promise<JWTPayload>,
  { kept, fresh }: { readonly kept: JSONWebKeySet | undefined; readonly fresh: () => Promise<JSONWebKeySet> },
): Promise<JWTPayload> {
  try {
    if (!kept) return await verify(await fresh())
    return await verify(kept).catch(async (cause: unknown) => {
      if (cause instanceof errors.JWKSNoMatchingKey) return await verify(await fresh())
      throw cause
    })
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    throw invalid(cause instanceof Error ? shorten(cause.message) : undefined, cause)
  }
}

async function fetchKeys(uri: string, timeout: Seconds, context: ClientContext): Promise<JSONWebKeySet> {
  const request = { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(timeout * 1000) }
  const { status, json } = await onceMore(() => exchange(uri, request, context))
  if (status !== 200 || !isKeySet(json)) throw new ClientError('metadata_malformed', { status, detail: 'jwks_uri' })
  return json
}

function isKeySet(json: unknown): json is JSONWebKeySet {
  return isJsonObject(json) && Array.isArray(json.keys) && json.keys.every(isJsonObject)
}

function isIdTokenClaims(claims: JWTPayload): claims is JWTPayload & IdTokenClaims {
  return typeof claims.sub === 'string' && claims.sub !== '' && typeof claims.iss === 'string'
}

function invalid(detail: string | undefined, cause?: unknown): ClientError {
  return new ClientError('id_token_invalid', { detail, cause })
}
