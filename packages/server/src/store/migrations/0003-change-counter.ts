import type { Kysely } from 'kysely'

/** Makes the counter by which processes notice that clients or signing keys have changed. */
export async function changeCounter(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('change_counter')
    .addColumn('changes', 'bigint', (column) => column.notNull())
    .execute()
  const counters = db.withTables<{ readonly change_counter: { readonly changes: number } }>()
  await counters.insertInto('change_counter').values({ changes: 0 }).execute()
}
