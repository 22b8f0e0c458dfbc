import type { KeyBinding, Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { AuthorizationCode } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { holdAuthorizationOf } from './authorization.ts'
import { parseStored } from './stored.ts'

/** Inserts a code. */
export async function insertCode(db: Kysely<Schema>, code: AuthorizationCode): Promise<void> {
  const { hash, authorizationId, clientId, redirectUri, redirectUriGiven, codeChallenge, binding, expires } = code
  await db
    .insertInto('code')
    .values({
      hash,
      authorization_id: authorizationId,
      client_id: clientId,
      redirect_uri: redirectUri,
      redirect_uri_given: redirectUriGiven ? 1 : 0,
      code_challenge: codeChallenge,
      binding: binding ? JSON.stringify(binding) : null,
      expires,
      redeemed: code.redeemed ?? null,
    })
    .execute()
}

/** Finds a code, redeemed or not. */
export async function findCode(db: Kysely<Schema>, hash: string): Promise<AuthorizationCode | undefined> {
  const row = await db.selectFrom('code').selectAll().where('hash', '=', hash).executeTakeFirst()
  if (!row) return undefined
  const { authorization_id: authorizationId, client_id: clientId, binding, expires, redeemed } = row
  return {
    hash,
    authorizationId,
    clientId,
    redirectUri: row.redirect_uri,
    redirectUriGiven: row.redirect_uri_given === 1,
    codeChallenge: row.code_challenge,
    ...(binding === null ? {} : { binding: parseStored<KeyBinding>(binding) }),
    expires,
    ...(redeemed === null ? {} : { redeemed }),
  }
}

/** Uses up a code that lives at this moment and whose authorization stands. @returns false when there is none */
export async function redeemCode(db: Kysely<Schema>, hash: string, now: Seconds): Promise<boolean> {
  if (!(await holdAuthorizationOf(db, 'code', hash))) return false
  const { numUpdatedRows } = await db
    .updateTable('code')
    .set({ redeemed: now })
    .where('hash', '=', hash)
    .where('redeemed', 'is', null)
    .where('expires', '>', now)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
