import type { Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { AuthorizationRequest, PushedRequest } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { parseStored } from './stored.ts'

/** Inserts a pushed request. */
export async function insertPushedRequest(
  db: Kysely<Schema>,
  { hash, request, expires }: PushedRequest,
): Promise<void> {
  await db
    .insertInto('pushed_request')
    .values({ hash, client_id: request.clientId, request: JSON.stringify(request), expires })
    .execute()
}

/** Finds a pushed request that is not used up. */
export async function findPushedRequest(db: Kysely<Schema>, hash: string): Promise<PushedRequest | undefined> {
  const row = await db.selectFrom('pushed_request').selectAll().where('hash', '=', hash).executeTakeFirst()
  return row && { hash, request: parseStored<AuthorizationRequest>(row.request), expires: row.expires }
}

/** Uses up a pushed request that lives at this moment. @returns false when there is none */
export async function redeemPushedRequest(db: Kysely<Schema>, hash: string, now: Seconds): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('pushed_request')
    .where('hash', '=', hash)
    .where('expires', '>', now)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
