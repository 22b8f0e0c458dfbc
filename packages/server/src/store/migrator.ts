import type { Kysely } from 'kysely'
import { first } from './migrations/0001-first.ts'
import { people } from './migrations/0002-people.ts'
import { state } from './migrations/0003-state.ts'
import { operations } from './migrations/0004-operations.ts'
import { StoreUnusable } from './unusable.ts'

/** Brings a database from the schema before to the next one. */
export type Migration = (db: Kysely<unknown>) => Promise<void>

/** All migrations in their order, only ever added to. The schema's version is how many have run. */
export const migrations: readonly Migration[] = [first, people, state, operations]

type VersionSchema = { readonly schema_version: { readonly version: number } }

/**
 * Runs the migrations that a database has not seen, and writes down its version. Belongs into one transaction.
 * @throws {@link StoreUnusable} when a newer Holdfast has migrated the database already
 */
export async function migrate(db: Kysely<unknown>, list: readonly Migration[] = migrations): Promise<void> {
  await db.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.notNull())
    .execute()
  const version = await versionOf(db)
  if (version > list.length) {
    throw new StoreUnusable(
      `The database has schema ${version}, and this Holdfast knows schemas up to ${list.length}. Run the newer Holdfast again, or restore a backup from before it ran.`,
    )
  }
  for (const [index, migration] of list.entries()) {
    if (index < version) continue
    await migration(db)
    await writeVersion(db, index + 1)
  }
}

async function versionOf(db: Kysely<unknown>): Promise<number> {
  const versions = db.withTables<VersionSchema>()
  const row = await versions.selectFrom('schema_version').select('version').executeTakeFirst()
  return row?.version ?? 0
}

async function writeVersion(db: Kysely<unknown>, version: number): Promise<void> {
  const versions = db.withTables<VersionSchema>()
  await versions.deleteFrom('schema_version').execute()
  await versions.insertInto('schema_version').values({ version }).execute()
}
