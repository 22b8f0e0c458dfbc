import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Seconds } from '@holdfast/pop'
import type { Store } from '../ports/store.ts'

/** How often expired rows are deleted, in milliseconds, and how many of each kind at once: the others' changes wait so long. */
const [interval, chunk] = [60_000, 250]

/** The shortest pause between two chunks, in milliseconds. */
const shortestPause = 5

/** Expired rows stay so long: a clock that leaps ahead and is put back must not revive what was revoked. */
const slack: Seconds = 600

/** Deletes what has expired: each minute, in small chunks, and with a pause after each that is as long as it took. */
export function purgeRegularly(store: Pick<Store, 'purge'>, now: Clock): { stop(): void } {
  let stopped = false
  let running = false

  const purge = async (): Promise<void> => {
    if (running) return
    running = true
    try {
      for (let gone = chunk; gone >= chunk && !stopped; ) {
        const began = performance.now()
        gone = await store.purge({ before: now() - slack, limit: chunk })
        await pause(Math.max(performance.now() - began, shortestPause), undefined, { ref: false })
      }
    } catch {
      // The store reports its own failures.
    } finally {
      running = false
    }
  }

  const timer = setInterval(() => void purge(), interval).unref()
  return {
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
