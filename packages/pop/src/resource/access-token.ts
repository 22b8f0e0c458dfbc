import { isMoment, type Seconds } from '../foundation/clock.ts'
import { isStringArray, type JsonObject } from '../foundation/json.ts'
import type { Awaitable } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { parseScope } from '../oauth/scope.ts'
import { type Confirmation, parseConfirmation } from '../proof/confirmation.ts'

/** What an access token says, whatever its form: who vouches, for whom, until when. Never the token itself. */
export interface AccessToken {
  readonly form: TokenForm
  /** All claims, those that we do not know among them. */
  readonly claims: JsonObject
  readonly issuer?: string
  /** Undefined when introspection, which answers for its caller only, names none. */
  readonly audience?: readonly string[]
  readonly subject?: string
  readonly clientId?: string
  readonly scope: readonly string[]
  readonly expires?: Seconds
  readonly notBefore?: Seconds
  readonly issued?: Seconds
  readonly confirmation?: Confirmation
}

/** A signed JWT, or a handle that only its issuer can read. RFC 9068, RFC 7662. */
export type TokenForm = 'jwt' | 'reference'

/** Reads tokens of one form. What it gives was vouched for by the issuer; audience and time are not judged. */
export interface TokenReader {
  read(text: string): Awaitable<AccessToken>
}

/** Who must have issued a token, for whom, and how far clocks may differ. */
export interface TokenExpectation {
  readonly issuer: string
  readonly identifier: string
  readonly clockSkew: Seconds
}

const demanded = ['iss', 'aud', 'exp', 'iat', 'sub', 'client_id', 'jti'] as const

/**
 * Gives the claims of a token their types. RFC 9068 §2.2 demands seven of them of a JWT, RFC 7662 §2.2 none.
 * @throws {@link Refused} `token_claims_malformed`, `confirmation_malformed`, `confirmation_unknown`
 */
export function parseAccessToken(claims: JsonObject, form: TokenForm): AccessToken {
  if (form === 'jwt') {
    const missing = demanded.find((name) => !Object.hasOwn(claims, name))
    if (missing) throw new Refused('token_claims_malformed', { expected: missing })
  }
  text(claims, 'jti')
  return {
    form,
    claims,
    ...defined('issuer', text(claims, 'iss')),
    ...defined('audience', audience(claims)),
    ...defined('subject', text(claims, 'sub')),
    ...defined('clientId', text(claims, 'client_id')),
    scope: scope(claims),
    ...defined('expires', moment(claims, 'exp')),
    ...defined('notBefore', moment(claims, 'nbf')),
    ...defined('issued', moment(claims, 'iat')),
    ...defined('confirmation', Object.hasOwn(claims, 'cnf') ? parseConfirmation(claims.cnf) : undefined),
  }
}

/**
 * Judges what changes from request to request or from API to API: issuer, audience, time. RFC 9068 §4.
 * @throws {@link Refused} `token_issuer`, `token_audience`, `token_expired`, `token_not_yet_valid`
 */
export function requireForUs(
  token: AccessToken,
  { issuer, identifier, clockSkew }: TokenExpectation,
  now: Seconds,
): void {
  if (token.issuer !== undefined && token.issuer !== issuer) {
    throw new Refused('token_issuer', { expected: issuer, seen: token.issuer })
  }
  if (token.audience && !token.audience.includes(identifier)) {
    throw new Refused('token_audience', { expected: identifier, seen: token.audience.join(' ') })
  }
  const { expires, notBefore, issued } = token
  if (expires !== undefined && now >= expires + clockSkew) {
    throw new Refused('token_expired', { expected: `before ${expires}`, seen: String(now) })
  }
  const earliest = Math.max(notBefore ?? 0, issued ?? 0)
  if (now < earliest - clockSkew) {
    throw new Refused('token_not_yet_valid', { expected: `from ${earliest}`, seen: String(now) })
  }
}

function text(claims: JsonObject, name: string): string | undefined {
  if (!Object.hasOwn(claims, name)) return undefined
  const value = claims[name]
  if (typeof value !== 'string' || value === '') throw malformed(name, value)
  return value
}

function moment(claims: JsonObject, name: string): Seconds | undefined {
  if (!Object.hasOwn(claims, name)) return undefined
  const value = claims[name]
  if (!isMoment(value)) throw malformed(name, value)
  return value
}

function audience(claims: JsonObject): readonly string[] | undefined {
  if (!Object.hasOwn(claims, 'aud')) return undefined
  const value = claims.aud
  if (typeof value === 'string') return [value]
  if (!isStringArray(value) || value.length > 100) throw malformed('aud', value)
  return value
}

function scope(claims: JsonObject): readonly string[] {
  if (!Object.hasOwn(claims, 'scope') || claims.scope === '') return []
  const value = claims.scope
  const parsed = typeof value === 'string' ? parseScope(value) : undefined
  if (!parsed) throw malformed('scope', value)
  return parsed
}

function malformed(name: string, value: unknown): Refused {
  return new Refused('token_claims_malformed', { expected: name, seen: typeof value })
}

function defined<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value }
}
