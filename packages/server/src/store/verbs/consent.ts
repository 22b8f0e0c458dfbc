import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Finds what a person consented to for a client. */
export async function findConsent(
  db: Kysely<Schema>,
  { subject, clientId }: { readonly subject: string; readonly clientId: string },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('consent')
    .select('scope')
    .where('subject', '=', subject)
    .where('client_id', '=', clientId)
    .executeTakeFirst()
  return row?.scope
}

/** Remembers what a person consented to for a client, in place of what was remembered before. */
export async function rememberConsent(
  db: Kysely<Schema>,
  { subject, clientId, scope }: { readonly subject: string; readonly clientId: string; readonly scope: string },
): Promise<void> {
  await db
    .insertInto('consent')
    .values({ subject, client_id: clientId, scope })
    .onConflict((conflict) => conflict.columns(['subject', 'client_id']).doUpdateSet({ scope }))
    .execute()
}
