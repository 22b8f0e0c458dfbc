import { type Clock, type Reason, Refused, refusals, type Seconds } from '@holdfast/pop'
import type { Attempts, Context } from '../context.ts'
import type { Settings } from '../settings.ts'

/** How many failures of one name from one address are answered within a window, and why the next one is not. */
export interface AttemptsLimit {
  readonly mostFailures: number
  readonly window: Seconds
  readonly reason: Reason
}

/** Failed client authentications. */
export const authenticationLimit: AttemptsLimit = {
  mostFailures: 20,
  window: 60,
  reason: 'client_attempts_exhausted',
}

/** Introspected tokens that are not active: an API under attack asks about many. RFC 7662 §4. */
const introspectionLimit: AttemptsLimit = {
  mostFailures: 1000,
  window: 60,
  reason: 'introspection_guesses_exhausted',
}

/** DPoP proofs, right or wrong: each costs a signature, and is remembered while it could pass. RFC 9449 §11.1. */
function proofLimit(perMinute: number): AttemptsLimit {
  return { mostFailures: perMinute, window: 60, reason: 'dpop_proofs_exhausted' }
}

/** Wrong passwords. NIST SP 800-63B §3.2.2 allows a hundred; people rarely need ten. */
export const passwordLimit: AttemptsLimit = { mostFailures: 10, window: 300, reason: 'person_attempts_exhausted' }

/** Tries with a code by another client or with a wrong verifier: the fifth ends it, which lives no longer than this. */
const codeLimit: AttemptsLimit = { mostFailures: 5, window: 60, reason: 'code_tries_exhausted' }

/** User codes that no device shows, by address. RFC 8628 §5.1. */
const userCodeLimit: AttemptsLimit = { mostFailures: 10, window: 300, reason: 'user_code_guesses_exhausted' }

/** Clients that register themselves, by initial access token: who needs more asks the operator. */
const registrationLimit: AttemptsLimit = {
  mostFailures: 100,
  window: 3600,
  reason: 'registrations_exhausted',
}

/** What somebody unknown begins: each leaves a row for minutes. */
function startLimit(perMinute: number): AttemptsLimit {
  return { mostFailures: perMinute, window: 60, reason: 'starts_exhausted' }
}

/** So many pairs of name and address are remembered; the oldest are forgotten. */
const mostPairs = 10_000

/** What a server counts. */
type Counters = Pick<
  Context,
  'proofs' | 'attempts' | 'guesses' | 'codeTries' | 'userCodeGuesses' | 'registrations' | 'starts'
>

/** Creates all that a server counts by client and address. */
export function createCounters(now: Clock, { dpop, limits }: Pick<Settings, 'dpop' | 'limits'>): Counters {
  return {
    proofs: createAttempts(now, proofLimit(dpop.proofsPerMinute)),
    starts: createAttempts(now, startLimit(limits.startsPerAddress)),
    attempts: createAttempts(now, authenticationLimit),
    guesses: createAttempts(now, introspectionLimit),
    codeTries: createAttempts(now, codeLimit),
    userCodeGuesses: createAttempts(now, userCodeLimit),
    registrations: createAttempts(now, registrationLimit),
  }
}

/** Counts failures by name and address, so that nobody locks a client or a person out from elsewhere. */
export function createAttempts(now: Clock, { mostFailures, window, reason }: AttemptsLimit): Attempts {
  const failures = new Map<string, { count: number; readonly until: Seconds }>()
  const requireLeft = (key: string): void => {
    const seen = failures.get(key)
    const left = seen ? seen.until - now() : 0
    // More than a window is left where the clock was put back.
    if (seen && left > 0 && left <= window && seen.count >= mostFailures)
      throw new Refused(reason, refusals[reason].error === 'too_many_requests' ? { retryAfter: Math.ceil(left) } : {})
  }
  const count = (key: string): void => {
    const seen = failures.get(key)
    if (seen && seen.until > now() && seen.until <= now() + window) {
      seen.count++
      return
    }
    failures.delete(key)
    failures.set(key, { count: 1, until: now() + window })
    const [oldest] = failures.keys()
    if (failures.size > mostPairs && oldest !== undefined) failures.delete(oldest)
  }
  return {
    take(client, address) {
      const key = pair(client, address)
      requireLeft(key)
      count(key)
    },
    requireLeft(client, address) {
      if (failures.size > 0) requireLeft(pair(client, address))
    },
    failed: (client, address) => count(pair(client, address)),
  }
}

function pair(client: string, address = ''): string {
  return `${networkOf(address)} ${client.slice(0, 256)}`
}

/** Whom an address stands for: who has an IPv6 address has the 2^64 beside it. RFC 6177. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail = ''] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const zeros = address.includes('::') ? 8 - groups.length - (tail === '' ? 0 : tail.split(':').length) : 0
  return [...groups, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...tail.split(':')]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
