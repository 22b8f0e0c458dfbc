import type { Seconds } from '../foundation/clock.ts'
import type { Awaitable } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'

/** One use of a proof. RFC 9449 §11.1. */
export interface ProofUse {
  /** Base64url of a SHA-256 over key, method, address and `jti`: whose proof, for what. */
  readonly key: string
  /** When the proof was made: what its nonce says, or its `iat`. */
  readonly made: Seconds
  /** The last moment at which the proof could pass: until then, and in it, the use is remembered. */
  readonly expires: Seconds
}

/** Remembers which proofs were used. All processes of one server share it. */
export interface Replay {
  /**
   * Records a use unless it is recorded: one atomic step, so that exactly one of many concurrent callers gets true.
   * May be repeated when its answer was lost, and may then say false of the caller's own use.
   * @returns false when the proof was used before
   * @throws Error when it cannot be recorded: nobody may pass then
   */
  readonly use: (use: ProofUse, now: Seconds) => Awaitable<boolean>
}

/** Seconds after which a client tries again, when uses cannot be recorded. */
const pause: Seconds = 2

/**
 * Uses a proof up: after all else was judged, so that nobody loses one to a request that was refused. RFC 9449 §11.1.
 * @throws {@link Refused} `dpop_replayed`, `replay_unavailable`
 */
export async function requireFirstUse(use: ProofUse, replay: Replay, now: Seconds): Promise<void> {
  let isFirst: unknown
  try {
    isFirst = await replay.use(use, now)
  } catch (cause) {
    throw new Refused('replay_unavailable', { retryAfter: pause, cause })
  }
  if (isFirst !== true) throw new Refused('dpop_replayed')
}

/**
 * Creates the replay memory of one process. It is forgotten when the process ends: a proof that was read on the wire
 * within its last minute passes once more then. What several processes share is in a database.
 * @param capacity how many uses are remembered at once; when there is no room, uses are declined, never forgotten
 */
export function createMemoryReplay({ capacity = 1_000_000 }: { readonly capacity?: number } = {}): Replay {
  const used = new Set<string>()
  const ending = new Map<Seconds, string[]>()
  let purged: Seconds = 0
  const purge = (now: Seconds): void => {
    if (now <= purged) return
    purged = now
    for (const [expires, keys] of ending) {
      if (expires >= now) continue
      ending.delete(expires)
      for (const key of keys) used.delete(key)
    }
  }
  return {
    use: ({ key, expires }, now) => {
      purge(now)
      // What ended before the last purge may have been forgotten: it was judged before, or by a clock that was set back.
      if (used.has(key) || expires < purged) return false
      if (used.size >= capacity) throw new Error(`The replay memory is full: ${capacity} proofs are remembered.`)
      used.add(key)
      const keys = ending.get(expires)
      if (keys) keys.push(key)
      else ending.set(expires, [key])
      return true
    },
  }
}
