import type { Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Remembers that a JWT is revoked. Repeated, the later of both moments of expiry stands. */
export async function revokeJwt(
  db: Kysely<Schema>,
  { jti, expires }: { readonly jti: string; readonly expires: Seconds },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('jwt_revocation')
    .values({ jti, expires })
    .onConflict((conflict) =>
      conflict.column('jti').doUpdateSet({ expires }).where('jwt_revocation.expires', '<', expires),
    )
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Says whether a JWT is revoked, by itself or with all that are older than a restored database. */
export async function isJwtRevoked(
  db: Kysely<Schema>,
  { jti, issued }: { readonly jti: string; readonly issued: Seconds },
): Promise<boolean> {
  const row = await db
    .selectFrom('jwt_revocation')
    .select('expires')
    .where('jti', '=', jti)
    .unionAll(db.selectFrom('state').select('changes as expires').where('restored', '>=', issued))
    .executeTakeFirst()
  return row !== undefined
}
