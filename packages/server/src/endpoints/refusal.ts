import { type Reason, Refused, refusals, renderChallenge } from '@holdfast/pop'
import type { Report } from '../ports/report.ts'
import { SignerUnavailable } from '../ports/signer.ts'
import { StoreUnavailable } from '../ports/store.ts'
import { type Outbound, uncacheable } from './endpoint.ts'

const statuses: Readonly<Record<string, number>> = {
  invalid_client: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  content_too_large: 413,
  expectation_failed: 417,
  too_many_requests: 429,
  headers_too_large: 431,
  server_error: 500,
  temporarily_unavailable: 503,
}

/**
 * The one door for refusals: OAuth code and sentence outside, status by the code. RFC 6749 §5.2.
 * @param usedBasic the request authenticated by Basic: then `invalid_client` challenges
 */
export function renderRefusal({ reason, retryAfter, nonce }: Refused, usedBasic = false): Outbound {
  const { error, says } = refusals[reason]
  const status = statuses[error] ?? 400
  const wait = retryAfter ?? (status === 503 ? 1 : undefined)
  return {
    status,
    headers: {
      ...uncacheable,
      ...(wait === undefined ? {} : { 'retry-after': String(wait) }),
      ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }),
      ...(status === 401 && usedBasic
        ? { 'www-authenticate': renderChallenge('Basic', { realm: 'holdfast', charset: 'UTF-8' }) }
        : {}),
    },
    body: JSON.stringify({ error, error_description: says }),
  }
}

/** Whatever was thrown, as a refusal: outages keep their own code, bugs become `server_error`. */
export function refusalOf(thrown: unknown): Refused {
  if (thrown instanceof Refused) return thrown
  return new Refused(reasonOf(thrown), { cause: thrown })
}

function reasonOf(thrown: unknown): Reason {
  if (thrown instanceof StoreUnavailable) return 'store_unavailable'
  return thrown instanceof SignerUnavailable ? 'signer_unavailable' : 'server_error'
}

/** One line of the log for a refusal. */
export function reportOf({ reason, seen, cause }: Refused): Report {
  const { rule, error } = refusals[reason]
  const level = error === 'server_error' ? 'error' : error === 'temporarily_unavailable' ? 'warn' : 'info'
  return {
    level,
    event: 'refused',
    reason,
    rule,
    ...(seen === undefined ? {} : { seen }),
    ...(cause === undefined ? {} : { cause }),
  }
}
