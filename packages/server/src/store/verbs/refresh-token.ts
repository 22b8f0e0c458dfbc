import type { KeyBinding, Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { RefreshToken } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { holdAuthorizationOf } from './authorization.ts'
import { parseStored } from './stored.ts'

/** Inserts a refresh token. @throws Error when its family has one of this generation already */
export async function insertRefreshToken(db: Kysely<Schema>, token: RefreshToken): Promise<void> {
  const { hash, authorizationId, clientId, holder, binding, beganBound, generation, created, expires, replaced } = token
  await db
    .insertInto('refresh_token')
    .values({
      hash,
      authorization_id: authorizationId,
      client_id: clientId,
      holder,
      binding: binding ? JSON.stringify(binding) : null,
      began_bound: beganBound ? 1 : 0,
      generation,
      created,
      expires,
      replaced: replaced ?? null,
    })
    .execute()
}

/** Finds a refresh token, replaced or not. */
export async function findRefreshToken(db: Kysely<Schema>, hash: string): Promise<RefreshToken | undefined> {
  const row = await db.selectFrom('refresh_token').selectAll().where('hash', '=', hash).executeTakeFirst()
  if (!row) return undefined
  const {
    authorization_id: authorizationId,
    client_id: clientId,
    binding,
    generation,
    created,
    expires,
    replaced,
  } = row
  return {
    hash,
    authorizationId,
    clientId,
    holder: row.holder === 'public' ? 'public' : 'confidential',
    ...(binding === null ? {} : { binding: parseStored<KeyBinding>(binding) }),
    beganBound: row.began_bound === 1,
    generation,
    created,
    expires,
    ...(replaced === null ? {} : { replaced }),
  }
}

/** Marks as replaced a refresh token that lives at this moment and whose authorization stands. @returns false when there is none */
export async function redeemRefreshToken(db: Kysely<Schema>, hash: string, now: Seconds): Promise<boolean> {
  if (!(await holdAuthorizationOf(db, 'refresh_token', hash))) return false
  const { numUpdatedRows } = await db
    .updateTable('refresh_token')
    .set({ replaced: now })
    .where('hash', '=', hash)
    .where('replaced', 'is', null)
    .where('expires', '>', now)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
