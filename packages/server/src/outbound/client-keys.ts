import { type Clock, type JsonObject, Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'

/** How long fetched keys serve, and how soon somebody may ask for them anew. */
const lifetime: Seconds = 300
const soonest: Seconds = 30

/** The keys of so many addresses are kept; the oldest are fetched again. */
const mostKept = 1000

interface Fetched {
  readonly at: Seconds
  readonly keys: Promise<JsonObject>
  /** Nothing came, and nothing had come before. */
  failed: boolean
}

/**
 * Fetches clients' `jwks_uri`, only from hosts that the operator allows, and keeps what came. While a host is away the
 * last answer serves on. RFC 8705 §2.2.2.
 * @param fetch one bounded GET
 */
export function createClientKeys(
  hosts: readonly string[],
  fetch: (url: URL) => Promise<JsonObject>,
  now: Clock,
): Context['fetchKeys'] {
  const fetched = new Map<string, Fetched>()

  const fetchAnew = (uri: string, last: Fetched | undefined): Promise<JsonObject> => {
    const keys = fetch(new URL(uri)).catch((cause: unknown) => {
      if (last && !last.failed) return last.keys
      entry.failed = true
      throw new Refused('client_keys_unavailable', { seen: uri, retryAfter: soonest, cause })
    })
    const entry: Fetched = { at: now(), keys, failed: false }
    fetched.delete(uri)
    fetched.set(uri, entry)
    const [oldest] = fetched.keys()
    if (fetched.size > mostKept && oldest !== undefined) fetched.delete(oldest)
    return keys
  }

  return async (uri, { fresh = false } = {}) => {
    if (!hosts.includes(new URL(uri).hostname))
      throw new Refused('client_keys_unavailable', { seen: `${uri} is not in outbound.allow` })
    const last = fetched.get(uri)
    const age = last ? Math.abs(now() - last.at) : Number.POSITIVE_INFINITY
    return last && age < (fresh || last.failed ? soonest : lifetime) ? await last.keys : await fetchAnew(uri, last)
  }
}
