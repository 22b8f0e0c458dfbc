import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Migration, migrate, migrations } from './migrator.ts'
import { createSqliteDialect } from './sqlite/dialect.ts'

let database: DatabaseSync
let db: Kysely<unknown>

const makes =
  (table: string): Migration =>
  ({ schema }) =>
    schema.createTable(table).addColumn('id', 'integer').execute()

beforeEach(({ onTestFinished: atEnd }) => {
  database = new DatabaseSync(':memory:')
  atEnd(() => database.close())
  db = new Kysely<unknown>({ dialect: createSqliteDialect(database) })
})

function versions(): unknown[] {
  return database
    .prepare('select version from schema_version')
    .all()
    .map(({ version }) => version)
}

function tables(): unknown[] {
  return database
    .prepare(`select name from sqlite_schema where type = 'table' order by name`)
    .all()
    .map(({ name }) => name)
}

describe('migrations', () => {
  it('all run on an empty database', async () => {
    await migrate(db)
    expect(versions()).toEqual([migrations.length])
  })

  it('do not run a second time', async () => {
    await migrate(db)
    await migrate(db)
    expect(versions()).toEqual([migrations.length])
  })

  it('run from where the database is', async () => {
    await migrate(db, [makes('one')])
    await migrate(db, [makes('one'), makes('two')])
    expect(versions()).toEqual([2])
    expect(tables()).toEqual(['one', 'schema_version', 'two'])
  })

  it('leave nothing of a run of which one fails', async () => {
    const fails: Migration = async (transaction) => {
      await makes('two')(transaction)
      throw new Error('halfway')
    }
    await migrate(db, [makes('one')])
    const all = db.transaction().execute((transaction) => migrate(transaction, [makes('one'), makes('three'), fails]))
    await expect(all).rejects.toThrow('halfway')
    expect(versions()).toEqual([1])
    expect(tables()).toEqual(['one', 'schema_version'])
  })

  it('refuse a database from a newer version, and leave it as it is', async () => {
    await migrate(db, [makes('one'), makes('two')])
    await expect(migrate(db, [makes('one')])).rejects.toMatchObject({ name: 'StoreUnusable' })
    expect(versions()).toEqual([2])
  })
})
