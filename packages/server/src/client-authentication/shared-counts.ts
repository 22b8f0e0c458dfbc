import type { Clock, Seconds } from '@holdfast/pop'
import type { Report } from '../ports/report.ts'
import type { Store } from '../ports/store.ts'

/** How often something happened within a window: as often as all nodes know of, and what the others do not know yet. */
export interface Tally {
  /** Who and what, as the database knows it. */
  readonly key: () => string
  known: number
  unsent: number
  until: Seconds
  /** There while what is unsent is being counted. Never rejects. */
  counting?: Promise<void> | undefined
}

/** Adds counts to those of the other nodes. */
export interface SharedCounts {
  /** Resolves when it stands, or cannot be had soon. Never rejects. */
  now(tally: Tally): Promise<void>
  /** Within a second. */
  soon(tally: Tally): void
  stop(): void
}

/** What nodes count with. */
export interface CountingContext {
  readonly store: Pick<Store, 'count'>
  readonly now: Clock
  readonly report: (report: Report) => void
}

/** How long a guess waits for the database, in milliseconds: then what this node has counted must do. */
const patience = 500

/** How often the database is told what can wait, and asked whether it is back, in milliseconds. */
const interval = 1000

/** How often an outage is reported, in milliseconds. */
const silence = 10_000

/** So many go to the database at once, and so many wait for it. */
const [largestBatch, mostWaiting] = [1024, 20_000]

/**
 * Creates the counts that nodes share by their database. One batch is under way at a time, and what comes meanwhile goes
 * with the next. While the database is away each node counts for itself, and adds it when the database is back.
 */
export function createSharedCounts({ store, now, report }: CountingContext): SharedCounts {
  const waiting = new Set<Tally>()
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let [isAway, isStopped, reported] = [false, false, Number.NEGATIVE_INFINITY]

  const add = (tally: Tally): void => {
    if (waiting.size < mostWaiting && !isStopped) waiting.add(tally)
  }
  const later = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      void send()
    }, interval).unref()
  }
  const send = (): Promise<void> => (next ??= sendNext())
  const sendNext = async (): Promise<void> => {
    await current
    next = undefined
    current = sendAll()
    await current
  }
  const sendAll = async (): Promise<void> => {
    const all = [...waiting]
    waiting.clear()
    for (let from = 0; from < all.length; from += largestBatch) await sendBatch(all.slice(from, from + largestBatch))
  }

  const sendBatch = async (tallies: readonly Tally[]): Promise<void> => {
    const batch = tallies.filter(({ until }) => until > now()).map((tally) => ({ tally, count: tally.unsent }))
    if (batch.length === 0) return
    try {
      const counts = batch.map(({ tally: { key, until }, count }) => ({ key: key(), count, until }))
      const totals = await store.count({ now: now(), counts })
      for (const [index, { tally, count }] of batch.entries()) {
        const total = totals[index]
        if (total) Object.assign(tally, { known: total.count, unsent: tally.unsent - count, until: total.until })
      }
      isAway = false
    } catch (cause) {
      isAway = true
      for (const { tally } of batch) add(tally)
      if (waiting.size > 0) later()
      complain(cause)
    }
  }
  const complain = (cause: unknown): void => {
    if (isStopped || performance.now() - reported < silence) return
    reported = performance.now()
    report({ level: 'warn', event: 'counts_not_shared', cause })
  }

  return {
    async now(tally) {
      add(tally)
      if (isAway) return later()
      tally.counting = soonest(send())
      await tally.counting
      tally.counting = undefined
    },
    soon(tally) {
      add(tally)
      later()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
      waiting.clear()
    },
  }
}

function soonest(sent: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patience)
    void sent.finally(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
