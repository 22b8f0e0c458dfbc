import type { Seconds } from '@holdfast/pop'
import { type Kysely, PostgresAdapter } from 'kysely'
import type { Schema } from '../schema.ts'

/** The longest life that settings and registrations allow an access token. */
const longestAccessToken: Seconds = 86_400

/**
 * Deletes what expired before a moment, at most `limit` rows of each table, the oldest first. What still says something
 * about a thing that lives stays: a code and a replaced refresh token that may be replayed, a pushed request for its
 * flows, an authorization for all that follows from it.
 */
export async function purge(
  db: Kysely<Schema>,
  { before, limit }: { readonly before: Seconds; readonly limit: number },
): Promise<number> {
  const hasOthers = db.getExecutor().adapter instanceof PostgresAdapter
  const chunk = { before, limit, hasOthers }
  const late = { ...chunk, before: before - longestAccessToken }
  const deletions = [
    deletionOf(db, 'reference_token', chunk),
    deletionOf(db, 'session', chunk),
    deletionOf(db, 'flow', chunk),
    deletionOf(db, 'device_authorization', chunk),
    deletionOf(db, 'code', late),
    ofPushedRequests(db, chunk),
    ofRefreshTokens(db, chunk),
    ofAuthorizations(db, late),
    ofJwtRevocations(db, chunk),
    ofUses(db, chunk),
    ofSigningKeys(db, chunk),
    ofAttempts(db, chunk),
  ]
  let gone = 0n
  for (const deletion of deletions) gone += (await deletion.executeTakeFirst()).numDeletedRows
  return Number(gone)
}

interface Chunk {
  readonly before: Seconds
  readonly limit: number
  /** Other nodes may purge at the same time: each takes rows that no other has, and none waits. */
  readonly hasOthers: boolean
}

type Independent = 'reference_token' | 'session' | 'flow' | 'device_authorization' | 'code'

function deletionOf(db: Kysely<Schema>, table: Independent, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom(table)
    .select('hash')
    .where('expires', '<', before)
    .orderBy('expires')
    .limit(limit)
    .$if(hasOthers, (query) => query.forUpdate().skipLocked())
  return db.deleteFrom(table).where('hash', 'in', expired)
}

function ofPushedRequests(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom('pushed_request')
    .select('hash')
    .where('expires', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('flow').select('flow.hash').whereRef('flow.pushed_request', '=', 'pushed_request.hash'))),
    )
    .orderBy('expires')
    .limit(limit)
    .$if(hasOthers, (query) => query.forUpdate().skipLocked())
  return db.deleteFrom('pushed_request').where('hash', 'in', expired)
}

function ofRefreshTokens(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom('refresh_token')
    .select('hash')
    .where('expires', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('authorization')
            .select('authorization.id')
            .whereRef('authorization.id', '=', 'refresh_token.authorization_id')
            .where('authorization.expires', '>=', before),
        ),
      ),
    )
    .orderBy('expires')
    .limit(limit)
    .$if(hasOthers, (query) => query.forUpdate().skipLocked())
  return db.deleteFrom('refresh_token').where('hash', 'in', expired)
}

function ofAuthorizations(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom('authorization')
    .select('id')
    .where('expires', '<', before)
    .where(({ and, not, exists, selectFrom }) =>
      and(
        followers.map((table) =>
          not(
            exists(
              selectFrom(table).select(`${table}.hash`).whereRef(`${table}.authorization_id`, '=', 'authorization.id'),
            ),
          ),
        ),
      ),
    )
    .orderBy('expires')
    .limit(limit)
    .$if(hasOthers, (query) => query.forUpdate().skipLocked())
  return db.deleteFrom('authorization').where('id', 'in', expired)
}

const followers = ['code', 'refresh_token', 'reference_token', 'device_authorization'] as const

function ofJwtRevocations(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db.selectFrom('jwt_revocation').select('jti').where('expires', '<', before)
  return db.deleteFrom('jwt_revocation').where(
    'jti',
    'in',
    expired
      .orderBy('expires')
      .limit(limit)
      .$if(hasOthers, (query) => query.forUpdate().skipLocked()),
  )
}

function ofUses(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db.selectFrom('single_use').select(['kind', 'key']).where('expires', '<', before)
  return db.deleteFrom('single_use').where(({ eb, refTuple }) =>
    eb(
      refTuple('kind', 'key'),
      'in',
      expired
        .orderBy('expires')
        .limit(limit)
        .$if(hasOthers, (query) => query.forUpdate().skipLocked())
        .$asTuple('kind', 'key'),
    ),
  )
}

function ofSigningKeys(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom('signing_key')
    .select('kid')
    .where('stage', '=', 'retired')
    .where('expires', '<', before)
  return db.deleteFrom('signing_key').where(
    'kid',
    'in',
    expired
      .orderBy('expires')
      .limit(limit)
      .$if(hasOthers, (query) => query.forUpdate().skipLocked()),
  )
}

function ofAttempts(db: Kysely<Schema>, { before, limit, hasOthers }: Chunk) {
  const expired = db
    .selectFrom('attempt')
    .select('key')
    .where('until', '<', before)
    .orderBy('until')
    .limit(limit)
    .$if(hasOthers, (query) => query.forUpdate().skipLocked())
  return db.deleteFrom('attempt').where('key', 'in', expired)
}
