import type { Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Deletes what expired before a moment, at most `limit` rows of each table, the oldest first. */
export async function purge(
  db: Kysely<Schema>,
  { before, limit }: { readonly before: Seconds; readonly limit: number },
): Promise<number> {
  const tokens = db
    .deleteFrom('reference_token')
    .where('hash', 'in', (from) =>
      from.selectFrom('reference_token').select('hash').where('expires', '<', before).orderBy('expires').limit(limit),
    )
  const revocations = db
    .deleteFrom('jwt_revocation')
    .where('jti', 'in', (from) =>
      from.selectFrom('jwt_revocation').select('jti').where('expires', '<', before).orderBy('expires').limit(limit),
    )
  const uses = db
    .deleteFrom('single_use')
    .where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple('kind', 'key'),
        'in',
        selectFrom('single_use')
          .select(['kind', 'key'])
          .where('expires', '<', before)
          .orderBy('expires')
          .limit(limit)
          .$asTuple('kind', 'key'),
      ),
    )
  const keys = db
    .deleteFrom('signing_key')
    .where('kid', 'in', (from) =>
      from
        .selectFrom('signing_key')
        .select('kid')
        .where('stage', '=', 'retired')
        .where('expires', '<', before)
        .orderBy('expires')
        .limit(limit),
    )
  let gone = 0n
  for (const each of [tokens, revocations, uses, keys]) gone += (await each.executeTakeFirst()).numDeletedRows
  return Number(gone)
}
