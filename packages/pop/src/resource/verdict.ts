import type { Seconds } from '../foundation/clock.ts'
import { type ChallengingApi, renderTokenChallenges } from '../oauth/challenge.ts'
import { type Reason, type Refused, refusals } from '../oauth/refusal.ts'
import type { TokenScheme } from '../oauth/token-scheme.ts'
import type { Possession } from '../proof/possession.ts'
import type { AccessToken } from './access-token.ts'
import { type Check, checksUntil, type Looked, passedChecks, unboundChecks } from './checks.ts'
import type { Evidence } from './evidence.ts'
import { findHint } from './hints.ts'

/** What a guard decided about one request, as data. The token itself is never in it. */
export type Verdict = Admitted | Declined

/** The request may go on. */
export interface Admitted {
  readonly admitted: true
  readonly token: AccessToken
  /** The key that the request has shown, its DPoP key where the token is bound to two; none where the policy takes unbound tokens. */
  readonly possession?: Possession
  /** What would have refused if the guard did not only report. */
  readonly reported?: Reason
  /** What goes onto the response beside the handler's own: the next nonce, where nonces are in use. RFC 9449 §8.2. */
  readonly headers?: Readonly<Record<string, string>>
  readonly checks: readonly Check[]
}

/** The request is refused: {@link renderVerdict} says how it is answered. */
export interface Declined {
  readonly admitted: false
  readonly reason: Reason
  /** The requirement that asks for the refusal. */
  readonly rule: string
  readonly status: number
  /** The OAuth error code, and a sentence for the outside. */
  readonly error: string
  readonly says: string
  /** The values of `WWW-Authenticate`. */
  readonly challenges: readonly string[]
  readonly retryAfter?: Seconds
  /** The value of `DPoP-Nonce`. RFC 9449 §9. */
  readonly nonce?: string
  readonly checks: readonly Check[]
  /** Where whoever runs the API or the client should look. Not for the outside. */
  readonly hint?: string
}

/** Creates the verdict of a request that may go on. */
export function createAdmitted(token: AccessToken, { possessions, proof }: Evidence, reported?: Reason): Admitted {
  if (reported) return { admitted: true, token, reported, checks: unboundChecks(token) }
  const [possession] = possessions
  const nonce = proof?.nextNonce
  return {
    admitted: true,
    token,
    ...(possession && { possession }),
    ...(nonce !== undefined && { headers: { 'dpop-nonce': nonce, 'cache-control': 'no-store' } }),
    checks: passedChecks(token),
  }
}

/** What the refusal of one request depends on beside its reason. */
export interface DeclinedRequest {
  /** What is known of the token. */
  readonly looked: Looked
  /** The scheme that the request used. */
  readonly scheme: TokenScheme | undefined
  /** What the route needs. */
  readonly scope: readonly string[]
}

/** Creates the verdict of a refused request. */
export function createDeclined(
  refused: Refused,
  { looked, scheme, scope }: DeclinedRequest,
  api: ChallengingApi,
): Declined {
  const { reason, retryAfter, nonce } = refused
  const { error, rule, says } = refusals[reason]
  const status = statuses[error] ?? 400
  const hint = findHint(refused)
  return {
    admitted: false,
    reason,
    rule,
    status,
    error,
    says,
    challenges: status === 401 || status === 403 ? renderTokenChallenges(reason, scheme, api, scope.join(' ')) : [],
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(nonce === undefined ? {} : { nonce }),
    checks: checksUntil(refused, looked),
    ...(hint === undefined ? {} : { hint }),
  }
}

/** Renders the answer to a refused request. RFC 6750 §3, RFC 9449 §7.1. */
export function renderVerdict({ status, error, says, challenges, retryAfter, nonce }: Declined): {
  readonly status: number
  readonly headers: Record<string, string | string[]>
  readonly body: string
} {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(challenges.length > 0 ? { 'www-authenticate': [...challenges] } : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }),
    },
    body: JSON.stringify({ error, error_description: says }),
  }
}

const statuses: Readonly<Record<string, number>> = {
  invalid_request: 400,
  token_missing: 401,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
}
