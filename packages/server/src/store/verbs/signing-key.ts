import type { Kysely, Selectable } from 'kysely'
import { type SigningKey, signingAlgorithms } from '../../model/signing-key.ts'
import type { Store } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { countChange } from './state.ts'
import { Undone } from './undone.ts'

/** Lists the signing keys in the order of their making. */
export async function listSigningKeys(db: Kysely<Schema>): Promise<readonly SigningKey[]> {
  const rows = await db.selectFrom('signing_key').selectAll().orderBy('position').execute()
  return rows.map(parseRow)
}

/** Inserts each candidate whose algorithm has no key in the candidate's stage yet. */
export async function ensureSigningKeys(db: Kysely<Schema>, candidates: readonly SigningKey[]): Promise<void> {
  await countChange(db)
  for (const candidate of candidates) await insert(db, candidate)
}

/** Active becomes retired, next becomes active, and the fresh one next; or nothing happens when there is no next one. */
export async function rotateSigningKey(
  db: Kysely<Schema>,
  { algorithm, now, expires, fresh, since = now }: Parameters<Store['rotateSigningKey']>[0],
): Promise<boolean> {
  await countChange(db)
  const retired = await db
    .updateTable('signing_key')
    .set({ stage: 'retired', since: now, expires })
    .where('algorithm', '=', algorithm)
    .where('stage', '=', 'active')
    .where('since', '<=', since)
    .executeTakeFirst()
  if (retired.numUpdatedRows === 0n) throw new Undone(false)
  const { numUpdatedRows } = await db
    .updateTable('signing_key')
    .set({ stage: 'active', since: now })
    .where('algorithm', '=', algorithm)
    .where('stage', '=', 'next')
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Undone(false)
  await insert(db, fresh)
  return true
}

/** Takes a key away; one that signed or was about to is replaced. @returns false when there is no such key */
export async function revokeSigningKey(
  db: Kysely<Schema>,
  { kid, now, fresh }: Parameters<Store['revokeSigningKey']>[0],
): Promise<boolean> {
  await countChange(db)
  const revoked = await db
    .deleteFrom('signing_key')
    .where('kid', '=', kid)
    .returning(['algorithm', 'stage'])
    .executeTakeFirst()
  if (!revoked) throw new Undone(false)
  if (revoked.stage === 'active') {
    await db
      .updateTable('signing_key')
      .set({ stage: 'active', since: now })
      .where('algorithm', '=', revoked.algorithm)
      .where('stage', '=', 'next')
      .execute()
  }
  if (revoked.stage !== 'retired') await insert(db, fresh)
  return true
}

/** Each takes the next position: who changes keys counts the change first, which makes others wait. */
async function insert(db: Kysely<Schema>, key: SigningKey): Promise<void> {
  const { kid, algorithm, stage, publicJwk: public_jwk, sealed, created } = key
  await db
    .insertInto('signing_key')
    .values(({ selectFrom, fn, val }) => ({
      kid,
      position: selectFrom('signing_key').select(({ eb }) =>
        eb(fn.coalesce(fn.max('position'), val(0)), '+', 1).as('position'),
      ),
      algorithm,
      stage,
      public_jwk,
      sealed,
      created,
      since: key.stage === 'next' ? null : key.since,
      expires: key.stage === 'retired' ? key.expires : null,
    }))
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

function parseRow(row: Selectable<Schema['signing_key']>): SigningKey {
  const { kid, public_jwk: publicJwk, sealed, created, stage, since, expires } = row
  const algorithm = signingAlgorithms.find((each) => each === row.algorithm)
  if (algorithm === undefined) throw new Error(`The stored signing key ${kid} is for ${row.algorithm}, unknown here.`)
  const key = { kid, algorithm, publicJwk, sealed, created }
  if (stage === 'next') return { ...key, stage }
  if (stage === 'active' && since !== null) return { ...key, stage, since }
  if (stage === 'retired' && since !== null && expires !== null) return { ...key, stage, since, expires }
  throw new Error(`The stored signing key ${kid} is in no stage that is known.`)
}
