import type { Seconds } from '@holdfast/pop'
import type { Kysely, SelectQueryBuilder } from 'kysely'
import type { Schema } from '../schema.ts'
import { isShared } from './state.ts'

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
  const chunk = { before, limit, hasOthers: isShared(db) }
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

/** Of rows in an order the first ones, as many as go at once. */
function firstOf({ limit, hasOthers }: Chunk) {
  return <DB, Table extends keyof DB, Row>(rows: SelectQueryBuilder<DB, Table, Row>) => {
    const first = rows.limit(limit)
    return hasOthers ? first.forUpdate().skipLocked() : first
  }
}

type Independent = 'reference_token' | 'session' | 'flow' | 'device_authorization' | 'code'

function deletionOf(db: Kysely<Schema>, table: Independent, chunk: Chunk) {
  const expired = db.selectFrom(table).select('hash').where('expires', '<', chunk.before).orderBy('expires')
  return db.deleteFrom(table).where('hash', 'in', expired.$call(firstOf(chunk)))
}

function ofPushedRequests(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db
    .selectFrom('pushed_request')
    .select('hash')
    .where('expires', '<', chunk.before)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('flow').select('flow.hash').whereRef('flow.pushed_request', '=', 'pushed_request.hash'))),
    )
    .orderBy('expires')
  return db.deleteFrom('pushed_request').where('hash', 'in', expired.$call(firstOf(chunk)))
}

function ofRefreshTokens(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db
    .selectFrom('refresh_token')
    .select('hash')
    .where('expires', '<', chunk.before)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('authorization')
            .select('authorization.id')
            .whereRef('authorization.id', '=', 'refresh_token.authorization_id')
            .where('authorization.expires', '>=', chunk.before),
        ),
      ),
    )
    .orderBy('expires')
  return db.deleteFrom('refresh_token').where('hash', 'in', expired.$call(firstOf(chunk)))
}

function ofAuthorizations(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db
    .selectFrom('authorization')
    .select('id')
    .where('expires', '<', chunk.before)
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
  return db.deleteFrom('authorization').where('id', 'in', expired.$call(firstOf(chunk)))
}

const followers = ['code', 'refresh_token', 'reference_token', 'device_authorization'] as const

function ofJwtRevocations(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db.selectFrom('jwt_revocation').select('jti').where('expires', '<', chunk.before).orderBy('expires')
  return db.deleteFrom('jwt_revocation').where('jti', 'in', expired.$call(firstOf(chunk)))
}

function ofUses(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db
    .selectFrom('single_use')
    .select(['kind', 'key'])
    .where('expires', '<', chunk.before)
    .orderBy('expires')
    .$call(firstOf(chunk))
  return db
    .deleteFrom('single_use')
    .where(({ eb, refTuple }) => eb(refTuple('kind', 'key'), 'in', expired.$asTuple('kind', 'key')))
}

function ofSigningKeys(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db
    .selectFrom('signing_key')
    .select('kid')
    .where('stage', '=', 'retired')
    .where('expires', '<', chunk.before)
    .orderBy('expires')
  return db.deleteFrom('signing_key').where('kid', 'in', expired.$call(firstOf(chunk)))
}

function ofAttempts(db: Kysely<Schema>, chunk: Chunk) {
  const expired = db.selectFrom('attempt').select('key').where('until', '<', chunk.before).orderBy('until')
  return db.deleteFrom('attempt').where('key', 'in', expired.$call(firstOf(chunk)))
}
