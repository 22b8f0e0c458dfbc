import type { Seconds } from '../../foundation/clock.ts'
import type { Replay } from '../../proof/replay.ts'
import { within } from './within.ts'

/** Runs one statement with parameters `$1`, `$2`: the `query` of a `pg` pool fits. */
export type SqlQuery = (
  sql: string,
  parameters: readonly (string | number)[],
) => Promise<{ readonly rowCount: number | null }>

/** The statement that makes the table of {@link createSqlReplay}: run it once, with the right to make tables. */
export const sqlReplayTable = `
  create table if not exists holdfast_proof_use (
    key text primary key,
    expires bigint not null,
    unique (expires, key)
  )
`

/** Says how many rows it has added: one statement, so exactly one of many concurrent callers adds one. */
const insertion = 'insert into holdfast_proof_use (key, expires) values ($1, $2) on conflict do nothing'

/** How many uses are forgotten at once. */
const chunk = 1000

const deletion = `
  delete from holdfast_proof_use where key in
    (select key from holdfast_proof_use where expires < $1 order by expires, key limit ${chunk})
`

/** How often a process forgets, and how far the clocks of two may differ without one forgetting what another still takes. */
const purgePause: Seconds = 10
const margin: Seconds = 60

/**
 * Creates a replay memory in a database that all processes share, on however many machines: PostgreSQL, and what speaks
 * its SQL. The table is {@link sqlReplayTable}. Two nodes agree as long as both write to the same primary.
 *
 * @param timeout milliseconds after which an answer is no longer waited for: the request is refused then
 * @example
 * const pool = new pg.Pool()
 * await pool.query(sqlReplayTable)
 * const replay = createSqlReplay((sql, parameters) => pool.query(sql, [...parameters]))
 */
export function createSqlReplay(query: SqlQuery, { timeout = 1000 }: { readonly timeout?: number } = {}): Replay {
  let purged: Seconds = 0
  let forgotten: Seconds = 0

  /** Goes on with the next use where there was more to forget. What fails here is tried again later. */
  async function purge(now: Seconds): Promise<void> {
    if (Math.abs(now - purged) < purgePause) return
    purged = now
    const before = Math.floor(now) - margin
    forgotten = Math.max(forgotten, before)
    try {
      const { rowCount } = await query(deletion, [before])
      if (rowCount === chunk) purged = 0
    } catch {}
  }

  return {
    async use({ key, expires }, now) {
      void purge(now)
      // It was judged by a clock that was set back since, and its first use may be forgotten.
      if (expires < forgotten) return false
      const { rowCount } = await within(timeout, query(insertion, [key, expires]))
      if (rowCount !== 0 && rowCount !== 1) throw new Error(`The replay memory added ${rowCount} rows instead of one.`)
      return rowCount === 1
    },
  }
}
