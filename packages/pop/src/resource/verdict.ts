import type { Seconds } from '../foundation/clock.ts'
import { renderChallenge } from '../oauth/challenge.ts'
import { type Reason, type Refused, refusals } from '../oauth/refusal.ts'
import type { Possession } from '../proof/possession.ts'
import type { AccessToken, TokenForm } from './access-token.ts'
import { type Check, checksUntil, passedChecks, unboundChecks } from './checks.ts'
import type { ResourceMetadata } from './metadata.ts'

/** What a guard decided about one request, as data. The token itself is never in it. */
export type Verdict = Admitted | Declined

/** The request may go on. */
export interface Admitted {
  readonly admitted: true
  readonly token: AccessToken
  /** The key that the request has shown; none where the policy takes unbound tokens. */
  readonly possession?: Possession
  /** What would have refused if the guard did not only report. */
  readonly reported?: Reason
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
  readonly checks: readonly Check[]
  /** Where whoever runs the API or the client should look. Not for the outside. */
  readonly hint?: string
}

/** What a challenge says of the API. */
interface ChallengingApi {
  readonly identifier: string
  readonly metadata: ResourceMetadata | undefined
}

/** Creates the verdict of a request that may go on. */
export function createAdmitted(token: AccessToken, possession: Possession | undefined, reported?: Reason): Admitted {
  if (reported) return { admitted: true, token, reported, checks: unboundChecks[token.form] }
  const checks = passedChecks[token.form]
  return possession ? { admitted: true, token, possession, checks } : { admitted: true, token, checks }
}

/**
 * Creates the verdict of a refused request.
 * @param form what the token was taken for
 * @param scope what the route needs
 */
export function createDeclined(
  refused: Refused,
  form: TokenForm,
  api: ChallengingApi,
  scope: readonly string[],
): Declined {
  const { reason, retryAfter } = refused
  const { error, rule, says } = refusals[reason]
  const status = statuses[error] ?? 400
  const hint = hints[reason]
  return {
    admitted: false,
    reason,
    rule,
    status,
    error,
    says,
    challenges: status === 401 || status === 403 ? [challenge(reason, api, scope)] : [],
    ...(retryAfter === undefined ? {} : { retryAfter }),
    checks: checksUntil(refused, form),
    ...(hint === undefined ? {} : { hint }),
  }
}

/** Renders the answer to a refused request. RFC 6750 §3. */
export function renderVerdict({ status, error, says, challenges, retryAfter }: Declined): {
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
    },
    body: JSON.stringify({ error, error_description: says }),
  }
}

const statuses: Readonly<Record<string, number>> = {
  invalid_request: 400,
  token_missing: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
}

/** Where to look first. */
const hints: Readonly<Partial<Record<Reason, string>>> = {
  token_audience: 'The client asked for another API: it must send resource with this identifier at the token endpoint.',
  token_type_wrong: 'Probably an ID token, or a JWT access token that does not follow RFC 9068.',
  keys_unavailable:
    'Can this process reach the issuer, and does it trust the CA of its certificate (NODE_EXTRA_CA_CERTS)?',
  introspection_unavailable: 'Can this process reach the issuer, and are client_id and client_secret right?',
  binding_missing:
    'The client got its token without a certificate: it must ask at the mTLS alias of the token endpoint.',
  confirmation_certificate_missing:
    'Does this listener ask for client certificates (clientCertificateTlsOptions), and does TLS end here and not at a proxy?',
  confirmation_certificate_differs:
    'The token was issued for another certificate. A renewed certificate needs a new token, even with the same key.',
  confirmation_proof_missing: 'The token is bound to a DPoP key, which this API does not check.',
  session_resumed: 'Switch session resumption off on this listener (clientCertificateTlsOptions does).',
}

/** Who sent no token gets no error code. RFC 6750 §3.1. */
function challenge(reason: Reason, { identifier, metadata }: ChallengingApi, scope: readonly string[]): string {
  const { error, says } = refusals[reason]
  return renderChallenge('Bearer', {
    ...(error === 'token_missing' ? {} : { error, error_description: says }),
    ...(error === 'insufficient_scope' ? { scope: scope.join(' ') } : {}),
    ...(metadata ? { resource_metadata: metadata.url } : { realm: identifier }),
  })
}
