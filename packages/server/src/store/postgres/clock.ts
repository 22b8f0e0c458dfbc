import type { Clock, Seconds } from '@holdfast/pop'
import { type Kysely, sql } from 'kysely'
import type { Report } from '../../ports/report.ts'
import type { Schema } from '../schema.ts'

/** How far the clock of a node may be from that of the database, which all nodes share, before its operator is told. */
const worth = { warn: 1, error: 5 } as const

/** How often it is looked, in milliseconds. */
const interval = 60_000

/** What compares, and who is told. */
interface ClockWatchOptions {
  readonly db: Kysely<Schema>
  readonly now: Clock
  readonly report: (report: Report) => void
}

/**
 * Compares this node's clock with that of the database, now and each minute: two nodes that each agree with it agree.
 * @returns how to stop
 */
export async function watchClock(options: ClockWatchOptions): Promise<() => void> {
  await look(options)
  const looking = setInterval(() => void look(options), interval).unref()
  return () => clearInterval(looking)
}

/** Whoever needs the database reports that it is away. */
async function look({ db, now, report }: ClockWatchOptions): Promise<void> {
  try {
    const ahead = await secondsAhead(db, now)
    const distance = Math.abs(ahead)
    if (distance <= worth.warn) return
    const seen = `${distance.toFixed(1)} s ${ahead > 0 ? 'ahead of' : 'behind'} the database`
    report({ level: distance > worth.error ? 'error' : 'warn', event: 'clock_differs', seen })
  } catch {}
}

/** The least that the two clocks can differ by: ours counts whole seconds, and the answer takes its time. */
async function secondsAhead(db: Kysely<Schema>, now: Clock): Promise<Seconds> {
  const earliest = now()
  const { rows } = await sql<{ time: number }>`
    select extract(epoch from clock_timestamp())::double precision as time`.execute(db)
  const latest = now() + 1
  const time = rows[0]?.time ?? earliest
  if (time < earliest) return earliest - time
  return time > latest ? latest - time : 0
}
