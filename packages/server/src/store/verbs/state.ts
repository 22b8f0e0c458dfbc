import type { Seconds } from '@holdfast/pop'
import { type Kysely, PostgresAdapter, sql } from 'kysely'
import type { Schema } from '../schema.ts'

/** What changes are announced on, where the database is shared. */
export const changesChannel = 'holdfast_changes'

/** Says whether other processes may use the database at the same time. */
export function isShared(db: Kysely<Schema>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter
}

/** Lets other processes notice a change of what they keep in memory. Part of the change: the next one waits until it ends. */
export async function countChange(db: Kysely<Schema>): Promise<void> {
  await db
    .updateTable('state')
    .set(({ eb }) => ({ changes: eb('changes', '+', 1) }))
    .execute()
  if (isShared(db)) await sql`select pg_notify(${changesChannel}, '')`.execute(db)
}

/**
 * Ends whatever was under way in a database that comes from a backup: it does not know what was used up and revoked
 * since. Clients, signing keys and consents stay. JWTs from before count as revoked.
 */
export async function endAll(db: Kysely<Schema>, { now }: { readonly now: Seconds }): Promise<void> {
  for (const table of underWay) await db.deleteFrom(table).execute()
  await db.updateTable('state').set({ restored: now }).execute()
  await countChange(db)
}

/** Each table before the one that it follows from. */
const underWay = [
  'flow',
  'pushed_request',
  'device_authorization',
  'code',
  'refresh_token',
  'reference_token',
  'authorization',
  'session',
] as const
