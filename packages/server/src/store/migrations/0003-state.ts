import type { Kysely } from 'kysely'

/** Makes the one row that says what holds for the whole database. */
export async function state(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('state')
    .addColumn('changes', 'bigint', (column) => column.notNull())
    .addColumn('restored', 'bigint')
    .execute()
  const states = db.withTables<{ readonly state: { readonly changes: number } }>()
  await states.insertInto('state').values({ changes: 0 }).execute()
}
