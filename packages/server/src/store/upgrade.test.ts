import { DatabaseSync } from 'node:sqlite'
import { Kysely, PostgresDialect } from 'kysely'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../conformance/requires.ts'
import { runInChild } from './child-process.fixture.ts'
import { migrate, migrations } from './migrator.ts'
import { openPostgresStore } from './postgres/postgres.ts'
import { createSqliteDialect } from './sqlite/dialect.ts'
import { openSqliteStore } from './sqlite/sqlite.ts'
import { temporaryFile } from './temporary-store.fixture.ts'

type Row = Readonly<Record<string, unknown>>

/** A database that can be looked at from the side. */
interface Database {
  readonly where: string
  query(text: string): Promise<readonly Row[]>
  /** As a Holdfast did that knew so many migrations. */
  migrate(count: number): Promise<void>
  /** As this Holdfast does at its start. */
  open(): Promise<void>
  /** A module that begins to migrate as this Holdfast does, and stops after the last migration, before its commit. */
  readonly halfway: string
  /** Names and types of columns. */
  columns(): Promise<readonly Row[]>
}

const here = (path: string) => JSON.stringify(new URL(path, import.meta.url))

function createSqlite(): Database {
  const where = temporaryFile(onTestFinished)
  const withDatabase = async <Answer>(work: (database: DatabaseSync) => Promise<Answer> | Answer): Promise<Answer> => {
    const database = new DatabaseSync(where)
    try {
      return await work(database)
    } finally {
      database.close()
    }
  }
  return {
    where,
    query: (text) => withDatabase((database) => database.prepare(text).all()),
    migrate: (count) =>
      withDatabase((database) =>
        migrate(new Kysely<unknown>({ dialect: createSqliteDialect(database) }), migrations.slice(0, count)),
      ),
    open: async () => await (await openSqliteStore({ file: where })).close(),
    columns: () =>
      withDatabase((database) =>
        database
          .prepare(
            `select t.name as "table", c.name as "column", lower(c.type) as type, c."notnull" as required
             from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table' order by 1, 2`,
          )
          .all(),
      ),
    halfway: `
      const { DatabaseSync } = await import('node:sqlite')
      const { Kysely } = await import('kysely')
      const { createSqliteDialect } = await import(${here('sqlite/dialect.ts')})
      const { migrate, migrations } = await import(${here('migrator.ts')})
      const database = new DatabaseSync(${JSON.stringify(where)})
      database.exec('pragma journal_mode = wal; begin immediate')
      await migrate(new Kysely({ dialect: createSqliteDialect(database) }), [...migrations, stop])`,
  }
}

async function createPostgres(server: PostgresServer): Promise<Database> {
  const where = await server.createDatabase()
  const query = async (text: string): Promise<readonly Row[]> => {
    const client = new Client({ connectionString: where })
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }
  return {
    where,
    query,
    async migrate(count) {
      const pool = new Pool({ connectionString: where, max: 1 })
      const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
      await db.transaction().execute((transaction) => migrate(transaction, migrations.slice(0, count)))
      await db.destroy()
    },
    open: async () => await (await openPostgresStore({ url: where })).close(),
    columns: () =>
      query(`select table_name as "table", column_name as "column", data_type as type, is_nullable as nullable
             from information_schema.columns where table_schema = 'public' order by 1, 2`),
    halfway: `
      const { default: { Pool } } = await import('pg')
      const { Kysely, PostgresDialect, sql } = await import('kysely')
      const { migrate, migrations } = await import(${here('migrator.ts')})
      const pool = new Pool({ connectionString: ${JSON.stringify(where)}, max: 1 })
      const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
      await db.transaction().execute(async (transaction) => {
        await sql\`select pg_advisory_xact_lock(\${sql.lit(0x686f6c64)})\`.execute(transaction)
        await migrate(transaction, [...migrations, stop])
      })`,
  }
}

/** The tables in which a schema keeps rows of requests and people. */
async function tablesOf(database: Database): Promise<ReadonlyMap<string, readonly Row[]>> {
  const tables = new Map<string, Row[]>()
  for (const row of await database.columns()) {
    const table = String(row.table)
    if (table !== 'schema_version' && table !== 'state') tables.set(table, [...(tables.get(table) ?? []), row])
  }
  return tables
}

/** Puts a row into each table: every column has a value. */
async function fill(database: Database): Promise<ReadonlyMap<string, readonly Row[]>> {
  const rows = new Map<string, readonly Row[]>()
  for (const [table, columns] of await tablesOf(database)) {
    const names = columns.map(({ column }) => `"${column}"`).join(', ')
    const values = columns.map(({ type }) => (type === 'text' ? `'[]'` : '4000000000'.slice(0, sizeOf(type))))
    await database.query(`insert into "${table}" (${names}) values (${values.join(', ')})`)
    rows.set(table, await database.query(`select * from "${table}"`))
  }
  return rows
}

function sizeOf(type: unknown): number {
  return type === 'integer' ? 9 : 10
}

function upgrades(create: () => Promise<Database>): void {
  it.each(migrations.slice(1).map((_, index) => index + 1))(
    'goes on from schema %i, keeps each row of it, and ends where a new one is',
    async (before) => {
      const database = await create()
      await database.migrate(before)
      const rows = await fill(database)
      expect(rows.size).toBeGreaterThan(4)
      await database.open()
      for (const [table, [row]] of rows)
        expect([table, await database.query(`select * from "${table}"`)]).toMatchObject([table, [row ?? {}]])
      const fresh = await create()
      await fresh.open()
      expect(await database.columns()).toEqual(await fresh.columns())
    },
  )

  it('is the old or the new one when it is killed in the middle, and is migrated by the next', async () => {
    const database = await create()
    await database.migrate(1)
    const rows = await fill(database)
    const stop = `const stop = async () => { console.log('halfway'); await new Promise(() => setInterval(() => {}, 1000)) }`
    const child = runInChild(onTestFinished, `${stop}\n${database.halfway}`)
    expect(await child.line()).toBe('halfway')
    await child.kill()
    expect(await database.query('select version from schema_version')).toEqual([{ version: 1 }])
    for (const [table, kept] of rows) expect(await database.query(`select * from "${table}"`)).toEqual(kept)
    await database.open()
    expect(await database.query('select version from schema_version')).toEqual([{ version: migrations.length }])
  })

  it('that a newer Holdfast has migrated is refused, with what to do, and left as it is', async () => {
    const database = await create()
    await database.open()
    await database.query(`update schema_version set version = ${migrations.length + 1}`)
    const columns = await database.columns()
    await expect(database.open()).rejects.toMatchObject({
      name: 'StoreUnusable',
      message: expect.stringMatching(
        new RegExp(`schema ${migrations.length + 1}, and this Holdfast knows schemas up to ${migrations.length}\\.`),
      ),
    })
    expect(await database.columns()).toEqual(columns)
  })

  it('takes nothing away that a version before uses', async () => {
    const database = await create()
    await database.migrate(1)
    for (let count = 2; count <= migrations.length; count++) {
      const before = await database.columns()
      await database.migrate(count)
      const after = await database.columns()
      expect(after).toEqual(expect.arrayContaining([...before]))
      const known = new Set(before.map(({ table }) => table))
      const added = after.filter((each) => known.has(each.table) && !before.some((old) => isSame(old, each)))
      expect(added.filter((each) => each.required === 1 || each.nullable === 'NO')).toEqual([])
    }
  })
}

function isSame(one: Row, other: Row): boolean {
  return one.table === other.table && one.column === other.column
}

describe('[F30] an SQLite database of an earlier Holdfast', () => upgrades(async () => createSqlite()))

requirePrograms('postgres')('[F30] a PostgreSQL database of an earlier Holdfast', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())
  upgrades(() => createPostgres(server))
})
