import { hash } from 'node:crypto'
import { type Clock, type Reason, Refused, refusals, type Seconds } from '@holdfast/pop'
import type { Attempts, Context } from '../context.ts'
import { toleratedAhead } from '../ports/store.ts'
import type { Settings } from '../settings.ts'
import { type CountingContext, createSharedCounts, type SharedCounts, type Tally } from './shared-counts.ts'

/** How often something of one name and address may happen within a window, and why it may not once more. */
export interface AttemptsLimit {
  readonly most: number
  readonly window: Seconds
  readonly reason: Reason
  /** What can be guessed is counted by all nodes before the next guess is answered. Else a second later will do. */
  readonly counted: 'at-once' | 'later'
}

/** Failed client authentications. */
export const authenticationLimit: AttemptsLimit = {
  most: 20,
  window: 60,
  reason: 'client_attempts_exhausted',
  counted: 'at-once',
}

/** Wrong passwords. NIST SP 800-63B §3.2.2 allows a hundred; people rarely need ten. */
export const passwordLimit: AttemptsLimit = {
  most: 10,
  window: 300,
  reason: 'person_attempts_exhausted',
  counted: 'at-once',
}

/** Tries with a code by another client or with a wrong verifier: the fifth ends it, which lives no longer than this. */
const codeLimit: AttemptsLimit = { most: 5, window: 60, reason: 'code_tries_exhausted', counted: 'at-once' }

/** User codes that no device shows, by address. RFC 8628 §5.1. */
const userCodeLimit: AttemptsLimit = {
  most: 10,
  window: 300,
  reason: 'user_code_guesses_exhausted',
  counted: 'at-once',
}

/** Clients that register themselves, by initial access token: who needs more asks the operator. */
const registrationLimit: AttemptsLimit = {
  most: 100,
  window: 3600,
  reason: 'registrations_exhausted',
  counted: 'at-once',
}

/** So many of something within a minute. */
function perMinute(most: number, reason: Reason): AttemptsLimit {
  return { most, window: 60, reason, counted: 'later' }
}

/** Introspected tokens that are not active, of one caller: an API under attack asks about many. RFC 7662 §4. */
const mostGuesses = 1000

/** What a server counts, and how it stops. */
export interface Counters {
  readonly counters: Pick<
    Context,
    | 'proofs'
    | 'attempts'
    | 'guesses'
    | 'codeTries'
    | 'userCodeGuesses'
    | 'registrations'
    | 'starts'
    | 'clientRequests'
    | 'addressRequests'
  >
  /** Wrong passwords, by user name. */
  readonly passwords: Attempts
  stop(): void
}

/** Creates all that a server counts: in its memory, and with the others where it is one of several nodes. */
export function createCounters(
  { store, dpop, limits }: Pick<Settings, 'store' | 'dpop' | 'limits'>,
  context: CountingContext,
): Counters {
  const shared = store.postgres === undefined ? undefined : createSharedCounts(context)
  const create = (limit: AttemptsLimit) => createAttempts(context.now, limit, shared)
  const { requestsPerAddress, requestsPerClient, startsPerAddress } = limits
  return {
    counters: {
      attempts: create(authenticationLimit),
      codeTries: create(codeLimit),
      userCodeGuesses: create(userCodeLimit),
      registrations: create(registrationLimit),
      // A proof costs a signature, and is remembered while it could pass. RFC 9449 §11.1.
      proofs: create(perMinute(dpop.proofsPerMinute, 'dpop_proofs_exhausted')),
      guesses: create(perMinute(mostGuesses, 'introspection_guesses_exhausted')),
      starts: create(perMinute(startsPerAddress, 'starts_exhausted')),
      ...(requestsPerClient !== undefined && {
        clientRequests: create(perMinute(requestsPerClient, 'client_requests_exhausted')),
      }),
      ...(requestsPerAddress !== undefined && {
        addressRequests: create(perMinute(requestsPerAddress, 'address_requests_exhausted')),
      }),
    },
    passwords: create(passwordLimit),
    stop: () => shared?.stop(),
  }
}

/** So many pairs of name and address are remembered; the oldest are forgotten. */
const mostPairs = 10_000

/** Counts by name and address, so that nobody locks a client or a person out from elsewhere. */
export function createAttempts(
  now: Clock,
  { most, window, reason, counted }: AttemptsLimit,
  shared?: SharedCounts,
): Attempts {
  const tallies = new Map<string, Tally>()
  /** What is rare need not be told of; what grows is, a hundredth of the limit at a time. */
  const worthTelling = Math.ceil(most / 100)

  const find = (pair: string): Tally | undefined => {
    const tally = tallies.get(pair)
    const left = tally ? tally.until - now() : 0
    // Impossibly much is left where the clock was put back.
    return left > 0 && left <= window + toleratedAhead ? tally : undefined
  }
  const begin = (pair: string): Tally => {
    const tally: Tally = { key: () => keyOf(reason, pair), known: 0, unsent: 0, until: now() + window }
    tallies.delete(pair)
    tallies.set(pair, tally)
    const [oldest] = tallies.keys()
    if (tallies.size > mostPairs && oldest !== undefined) tallies.delete(oldest)
    return tally
  }
  const count = (pair: string): Tally => {
    const tally = find(pair) ?? begin(pair)
    tally.unsent++
    return tally
  }
  const refused = ({ until }: Tally): Refused => {
    const waits = refusals[reason].error === 'too_many_requests'
    return new Refused(reason, waits ? { retryAfter: Math.min(Math.ceil(until - now()), window) } : {})
  }
  const requireLeft = (pair: string): void => {
    const tally = find(pair)
    if (tally && totalOf(tally) >= most) throw refused(tally)
  }

  /** Not before the others know of what was judged just now; then with nothing in between. */
  const judge = async (pair: string, outcome: 'right' | 'wrong'): Promise<void> => {
    for (let wait = find(pair)?.counting; wait; wait = find(pair)?.counting) await wait
    requireLeft(pair)
    if (outcome === 'right') return
    const tally = count(pair)
    await shared?.now(tally)
    if (totalOf(tally) > most) throw refused(tally)
  }

  return {
    take(name, address) {
      const pair = pairOf(name, address)
      if (shared && counted === 'at-once') return judge(pair, 'wrong')
      requireLeft(pair)
      const tally = count(pair)
      if (shared && tally.unsent >= worthTelling) shared.soon(tally)
    },
    requireLeft(name, address) {
      if (tallies.size > 0) requireLeft(pairOf(name, address))
    },
    async settle(name, address, outcome) {
      if (tallies.size === 0 && outcome === 'right') return
      await judge(pairOf(name, address), outcome)
    },
  }
}

function totalOf({ known, unsent }: Tally): number {
  return known + unsent
}

function pairOf(name: string, address = ''): string {
  return `${networkOf(address)} ${name.slice(0, 256)}`
}

/** The database learns nothing of people and addresses. */
function keyOf(reason: Reason, pair: string): string {
  return hash('sha256', JSON.stringify([reason, pair]), 'base64url')
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
