import type { Kysely } from 'kysely'
import { type Count, type Store, toleratedAhead } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'

/** A statement is prepared for each number of rows that one has: powers of two, so that they are few. */
const mostRows = 256

/** Adds to counts, each in a window of its own. One whose window is over, or ends impossibly late, begins anew. */
export async function count(
  db: Kysely<Schema>,
  { now, counts }: Parameters<Store['count']>[0],
): Promise<readonly Count[]> {
  const totals = new Map<string, Count>()
  // Two nodes that count the same take the rows in the same order.
  const left = counts.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  while (left.length > 0) {
    const rows = left.splice(0, Math.min(mostRows, 2 ** Math.floor(Math.log2(left.length))))
    for (const total of await add(db, rows, now)) totals.set(total.key, total)
  }
  return counts.flatMap(({ key }) => totals.get(key) ?? [])
}

async function add(db: Kysely<Schema>, rows: readonly Count[], now: number): Promise<readonly Count[]> {
  return await db
    .insertInto('attempt')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet(({ eb, ref, and, val }) => {
        const latest = eb(ref('excluded.until'), '+', val(toleratedAhead))
        const lasts = and([eb('attempt.until', '>', now), eb('attempt.until', '<=', latest)])
        return {
          count: eb
            .case()
            .when(lasts)
            .then(eb('attempt.count', '+', ref('excluded.count')))
            .else(ref('excluded.count'))
            .end(),
          until: eb.case().when(lasts).then(ref('attempt.until')).else(ref('excluded.until')).end(),
        }
      }),
    )
    .returning(['key', 'count', 'until'])
    .execute()
}
