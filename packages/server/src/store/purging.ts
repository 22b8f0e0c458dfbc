import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Seconds } from '@holdfast/pop'
import type { Store } from '../ports/store.ts'

/** How often expired rows are deleted, in milliseconds, and how many of each kind at once: the others' changes wait so long. */
const [interval, chunk] = [60_000, 250]

/** The shortest pause between two chunks, in milliseconds. */
const shortestPause = 5

/** Expired rows stay so long: a clock that leaps ahead and is put back must not revive what was revoked. */
const slack: Seconds = 600

/** Deletes what has expired, each minute. */
export function purgeRegularly(store: Pick<Store, 'purge'>, now: Clock): { stop(): void } {
  const stopping = new AbortController()
  let isRunning = false
  const purge = async (): Promise<void> => {
    if (isRunning) return
    isRunning = true
    await purgeExpired(store, now() - slack, stopping.signal)
    isRunning = false
  }
  const timer = setInterval(() => void purge(), interval).unref()
  return {
    stop() {
      clearInterval(timer)
      stopping.abort()
    },
  }
}

/** Deletes what expired before a moment: in small chunks, and after each with a pause that is as long as it took. */
export async function purgeExpired(
  store: Pick<Store, 'purge'>,
  before: Seconds,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  try {
    for (let gone = chunk; gone >= chunk && !signal.aborted; ) {
      const began = performance.now()
      gone = await store.purge({ before, limit: chunk })
      await pause(Math.max(performance.now() - began, shortestPause), undefined, { ref: false })
    }
  } catch {
    // The store reports its own failures.
  }
}
