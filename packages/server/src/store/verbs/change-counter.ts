import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Lets other processes notice a change of what they keep in memory. Part of the change. */
export async function countChange(db: Kysely<Schema>): Promise<void> {
  await db
    .updateTable('change_counter')
    .set(({ eb }) => ({ changes: eb('changes', '+', 1) }))
    .execute()
}
