import type { Seconds } from '../../foundation/clock.ts'
import { proofAhead } from '../../proof/dpop.ts'
import type { Replay } from '../../proof/replay.ts'
import { within } from './within.ts'

/** What is needed of a client of Redis or Valkey: those of `ioredis` fit, for one server and for a cluster. */
export interface RedisClient {
  eval(script: string, keyCount: number, ...parameters: (string | number)[]): Promise<unknown>
  info(section: string): Promise<string>
  /** A cluster's own. */
  nodes?(role: 'master'): readonly { info(section: string): Promise<string> }[]
}

/** What two clocks may differ by without one forgetting what another still takes. */
const margin: Seconds = 60

/**
 * Finds since when the memory is whole: in this run of the server, and since it evicted something last. An empty one begins
 * now, and so does one that a start has brought back from a snapshot, or a replica that has taken over: they may lack the
 * last moments. Of the caller's clock and the server's the later one counts, unless they differ beyond all reason.
 */
const beginning = `
local run = string.match(redis.call('info', 'server'), 'run_id:(%w+)') or ''
run = run .. ' ' .. (string.match(redis.call('info', 'stats'), 'evicted_keys:(%d+)') or '')
local began = redis.call('hget', KEYS[1], run)
if not began then
  local own = tonumber(redis.call('time')[1])
  began = math.max(tonumber(ARGV[1]), math.min(own, tonumber(ARGV[1]) + ${margin}))
  redis.call('del', KEYS[1])
  redis.call('hset', KEYS[1], run, began)
end
`

/**
 * Records a use. What was made before the memory began could have been used already, and so could what says that it was
 * made a little later: clocks may run ahead.
 */
const recording = `${beginning}
if tonumber(ARGV[2]) - ${proofAhead} <= tonumber(began) then return -1 end
if redis.call('set', KEYS[2], '1', 'PX', ARGV[3], 'NX') then return 1 end
return 0
`

/** In how many shares a cluster keeps the memory: the uses of each lie together with the moment since when it is whole. */
const clusterShares = 64

/** A replay memory that has to begin. */
export interface RedisReplay extends Replay {
  /** Begins the memory where it is empty. Unless somebody does, the first use begins it, and is declined. */
  readonly begin: (now: Seconds) => Promise<void>
}

/**
 * Creates a replay memory in Redis or Valkey, one server or a cluster, which all processes share.
 *
 * It fails closed. A server that was emptied, was started again, was a replica until now or has evicted something may not
 * remember all: proofs that were made before are declined with 503, and those of the next ten seconds, for clocks run
 * ahead. One that may evict (`maxmemory-policy` other than `noeviction`) is found before it does by {@link requireNoEviction}.
 *
 * @param prefix of all keys, for servers that do other things too
 * @param timeout milliseconds after which an answer is no longer waited for: the request is declined then
 */
export function createRedisReplay(
  redis: RedisClient,
  { prefix = 'holdfast', timeout = 250 }: { readonly prefix?: string; readonly timeout?: number } = {},
): RedisReplay {
  const shares = redis.nodes ? clusterShares : 1
  const latest = createLatestClock()
  const nameOf = (share: number): string => `${prefix}:{${share}}`
  return {
    async begin(now) {
      const begun = Array.from({ length: shares }, (_, share) => redis.eval(beginning, 1, `${nameOf(share)}:run`, now))
      await within(4 * timeout, Promise.all(begun))
    },
    async use({ key, made, expires }, now) {
      // Redis counts real time, and has forgotten by now what this clock would still take.
      if (expires < latest(now) - margin) throw new Error('The clock was set back: the use may be forgotten.')
      const share = nameOf(shareOf(key, shares))
      const life = Math.ceil((expires - now + margin) * 1000)
      const recorded = redis.eval(recording, 2, `${share}:run`, `${share}:${key}`, now, made, life)
      const outcome = await within(timeout, recorded)
      if (outcome === -1) throw new Error('The replay memory began after the proof was made.')
      if (outcome !== 0 && outcome !== 1) throw new Error('The replay memory gave an answer that is none.')
      return outcome === 1
    },
  }
}

/**
 * Looks whether a server would sooner decline a write than forget something.
 * @throws Error when it would not, or does not answer
 */
export async function requireNoEviction(redis: RedisClient): Promise<void> {
  for (const node of redis.nodes?.('master') ?? [redis]) {
    const policy = /^maxmemory_policy:(\S+)/m.exec(await node.info('memory'))?.[1]
    if (policy !== 'noeviction')
      throw new Error(`maxmemory-policy is ${policy ?? 'unknown'}: used proofs would be forgotten. Set noeviction.`)
  }
}

/** So long it matters that a clock was ahead: what was recorded meanwhile can pass no longer. */
const longestLeap: Seconds = 900

/** @returns given what a clock says now, what it would say if it had not been set back of late */
function createLatestClock(): (now: Seconds) => Seconds {
  let leap = { ahead: Number.NEGATIVE_INFINITY, seen: 0 }
  return (now) => {
    const running = performance.now() / 1000
    if (now - running >= leap.ahead || running - leap.seen > longestLeap) leap = { ahead: now - running, seen: running }
    return leap.ahead + running
  }
}

/** Keys are hashes: any two characters spread them evenly. */
function shareOf(key: string, shares: number): number {
  return (key.charCodeAt(0) * 31 + key.charCodeAt(1)) % shares
}
