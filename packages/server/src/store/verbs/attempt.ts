import type { Kysely } from 'kysely'
import type { Count, Store } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'

/** Adds to counts, each in a window of its own. One whose window is over, or ends impossibly late, begins anew. */
export async function count(
  db: Kysely<Schema>,
  { now, counts }: Parameters<Store['count']>[0],
): Promise<readonly Count[]> {
  const totals: Count[] = []
  for (const each of counts.toSorted(byKey)) totals.push(await add(db, each, now))
  const byName = new Map(totals.map((total) => [total.key, total]))
  return counts.flatMap(({ key }) => byName.get(key) ?? [])
}

async function add(db: Kysely<Schema>, { key, count, until }: Count, now: number): Promise<Count> {
  return await db
    .insertInto('attempt')
    .values({ key, count, until })
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet(({ eb, ref, and }) => {
        const lasts = and([eb('attempt.until', '>', now), eb('attempt.until', '<=', ref('excluded.until'))])
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
    .executeTakeFirstOrThrow()
}

/** Two nodes that count the same take the rows in the same order. */
function byKey(one: Count, other: Count): number {
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0
}
