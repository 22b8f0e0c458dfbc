import type { JsonObject, Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { Authorization } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { parseStored } from './stored.ts'

/** Inserts an authorization: the family of what will follow from it. */
export async function insertAuthorization(db: Kysely<Schema>, authorization: Authorization): Promise<void> {
  const { id, clientId, subject, scope, resources, authorizationDetails, sid, authenticated, methods, nonce } =
    authorization
  await db
    .insertInto('authorization')
    .values({
      id,
      client_id: clientId,
      subject,
      scope,
      resources: JSON.stringify(resources),
      authorization_details: JSON.stringify(authorizationDetails),
      sid: sid ?? null,
      authenticated,
      methods: JSON.stringify(methods),
      nonce: nonce ?? null,
      created: authorization.created,
      expires: authorization.expires,
      revoked: null,
    })
    .execute()
}

/** Finds an authorization that is not revoked. */
export async function findAuthorization(db: Kysely<Schema>, id: string): Promise<Authorization | undefined> {
  const row = await db
    .selectFrom('authorization')
    .selectAll()
    .where('id', '=', id)
    .where('revoked', 'is', null)
    .executeTakeFirst()
  if (!row) return undefined
  const { client_id: clientId, subject, scope, sid, authenticated, nonce, created, expires } = row
  return {
    id,
    clientId,
    subject,
    scope,
    resources: parseStored<readonly string[]>(row.resources),
    authorizationDetails: parseStored<readonly JsonObject[]>(row.authorization_details),
    ...(sid === null ? {} : { sid }),
    authenticated,
    methods: parseStored<readonly string[]>(row.methods),
    ...(nonce === null ? {} : { nonce }),
    created,
    expires,
  }
}

/**
 * Holds an authorization until the transaction ends. An update that changes nothing, not a read: it waits for a
 * revocation under way, and a later one waits for it.
 * @returns false when it is unknown or revoked
 */
export async function holdAuthorization(db: Kysely<Schema>, id: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('authorization')
    .set({ revoked: null })
    .where('id', '=', id)
    .where('revoked', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** As {@link holdAuthorization}, of what follows from it: before that itself is changed, in the order in which clients are deleted. */
export async function holdAuthorizationOf(
  db: Kysely<Schema>,
  table: 'code' | 'refresh_token',
  hash: string,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('authorization')
    .set({ revoked: null })
    .where('id', '=', ({ selectFrom }) => selectFrom(table).select('authorization_id').where('hash', '=', hash))
    .where('revoked', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Revokes an authorization and deletes its reference tokens; what else follows from it, it no longer carries. */
export async function revokeAuthorization(
  db: Kysely<Schema>,
  { id, now }: { readonly id: string; readonly now: Seconds },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('authorization')
    .set({ revoked: now })
    .where('id', '=', id)
    .where('revoked', 'is', null)
    .executeTakeFirst()
  await db.deleteFrom('reference_token').where('authorization_id', '=', id).execute()
  return numUpdatedRows === 1n
}
