import { isStringArray, type JsonObject, parseConfirmation } from '@holdfast/pop'
import type { Kysely, Selectable } from 'kysely'
import type { ReferenceToken } from '../../model/reference-token.ts'
import type { Schema } from '../schema.ts'
import { parseStored } from './stored.ts'

/** Inserts a reference token. @throws Error when its hash is there already, which 256 random bits rule out */
export async function insertReferenceToken(db: Kysely<Schema>, token: ReferenceToken): Promise<void> {
  const { hash, jti, clientId, subject, scope, audience, confirmation, authorizationId, actor, issued, expires } = token
  await db
    .insertInto('reference_token')
    .values({
      hash,
      jti,
      client_id: clientId,
      subject,
      scope,
      audience: JSON.stringify(audience),
      confirmation: confirmation ? JSON.stringify(confirmation) : null,
      authorization_id: authorizationId ?? null,
      actor: actor ? JSON.stringify(actor) : null,
      issued,
      expires,
    })
    .execute()
}

/** Finds a reference token by the hash of its handle. */
export async function findReferenceToken(db: Kysely<Schema>, hash: string): Promise<ReferenceToken | undefined> {
  const row = await db.selectFrom('reference_token').selectAll().where('hash', '=', hash).executeTakeFirst()
  return row && parseRow(row)
}

/** Deletes a reference token, if there is one. */
export async function revokeReferenceToken(db: Kysely<Schema>, hash: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('reference_token').where('hash', '=', hash).executeTakeFirst()
  return numDeletedRows === 1n
}

function parseRow(row: Selectable<Schema['reference_token']>): ReferenceToken {
  const { hash, jti, client_id: clientId, subject, scope, confirmation, actor, issued, expires } = row
  const { authorization_id: authorizationId } = row
  const audience: unknown = JSON.parse(row.audience)
  if (!isStringArray(audience)) throw new Error('A stored reference token has an audience that is no list.')
  return {
    hash,
    jti,
    clientId,
    subject,
    scope,
    audience,
    ...(confirmation === null ? {} : { confirmation: parseConfirmation(JSON.parse(confirmation)) }),
    ...(authorizationId === null ? {} : { authorizationId }),
    ...(actor === null ? {} : { actor: parseStored<JsonObject>(actor) }),
    issued,
    expires,
  }
}
