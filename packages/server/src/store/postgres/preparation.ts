import { type Kysely, sql } from 'kysely'
import { migrate } from '../migrator.ts'
import { StoreUnusable } from '../unusable.ts'

/** PostgreSQL 12, as `server_version_num` says it. */
const oldest = 120_000

/** Of all who start at the same time one migrates; the others wait. Any number will do that nobody else uses. */
const migrationLock = 0x686f6c64

/**
 * Looks at what the server promises, and migrates the database: all of it or nothing.
 * @throws {@link StoreUnusable}
 */
export async function preparePostgres(db: Kysely<unknown>): Promise<void> {
  const [version, fsync, commit] = [
    await settingOf(db, 'server_version_num'),
    await settingOf(db, 'fsync'),
    await settingOf(db, 'synchronous_commit'),
  ]
  if (Number(version) < oldest)
    throw new StoreUnusable(`store.postgres: PostgreSQL ${version} is too old. Run PostgreSQL 12 or later.`)
  if (fsync !== 'on')
    throw new StoreUnusable(
      'store.postgres: the server runs with fsync = off and can lose what it confirmed. Set it on.',
    )
  if (commit !== 'on' && commit !== 'remote_apply')
    throw new StoreUnusable(`store.postgres: synchronous_commit is ${commit} for this user. Set it on.`)
  await db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction)
    await migrate(transaction)
  })
}

async function settingOf(db: Kysely<unknown>, name: string): Promise<string> {
  const { rows } = await sql<{ value: string }>`select current_setting(${sql.lit(name)}) as value`.execute(db)
  return rows[0]?.value ?? ''
}
