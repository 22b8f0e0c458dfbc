import { type Clock, type Reason, Refused, type Seconds } from '@holdfast/pop'
import type { Attempts } from '../context.ts'

/** How many failures of one client from one address are answered within a window, and why the next one is not. */
export interface AttemptsLimit {
  readonly mostFailures: number
  readonly reason: Reason
}

/** Failed client authentications. */
export const authenticationLimit: AttemptsLimit = { mostFailures: 20, reason: 'client_attempts_exhausted' }

/** Introspected tokens that are not active: an API under attack asks about many. RFC 7662 §4. */
export const introspectionLimit: AttemptsLimit = { mostFailures: 1000, reason: 'introspection_guesses_exhausted' }

const window: Seconds = 60
/** So many pairs of client and address are remembered; the oldest are forgotten. */
const mostPairs = 10_000

/** Counts failures by client and address, so that nobody locks a client out from elsewhere. */
export function createAttempts(now: Clock, { mostFailures, reason }: AttemptsLimit): Attempts {
  const failures = new Map<string, { count: number; readonly until: Seconds }>()
  return {
    requireLeft(client, address) {
      if (failures.size === 0) return
      const seen = failures.get(pair(client, address))
      const left = seen ? seen.until - now() : 0
      // More than a window is left where the clock was put back.
      if (seen && left > 0 && left <= window && seen.count >= mostFailures)
        throw new Refused(reason, { retryAfter: Math.ceil(left) })
    },
    failed(client, address) {
      const key = pair(client, address)
      const seen = failures.get(key)
      if (seen && seen.until > now() && seen.until <= now() + window) {
        seen.count++
        return
      }
      failures.delete(key)
      failures.set(key, { count: 1, until: now() + window })
      const [oldest] = failures.keys()
      if (failures.size > mostPairs && oldest !== undefined) failures.delete(oldest)
    },
  }
}

function pair(client: string, address = ''): string {
  return `${address} ${client.slice(0, 256)}`
}
