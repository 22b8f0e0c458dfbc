import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'
import { inject } from 'vitest'
import { createPostgresDatabase } from '../../../../conformance/postgres-server.ts'
import type { Store } from '../ports/store.ts'
import { openPostgresStore } from './postgres/postgres.ts'
import { openSqliteStore, type SqliteOptions } from './sqlite/sqlite.ts'

/** For tests: registers what to do at the end of one, as Vitest's `onTestFinished` does. */
export type AtEnd = (task: () => void | Promise<void>) => void

/** For tests: a path for a database in a folder of its own, which is removed at the end. */
export function temporaryFile(atEnd: AtEnd): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'holdfast.db')
}

/** For tests: a store, and how many rows a table of it has. */
export interface TemporaryStore {
  readonly store: Store
  readonly file: string
  readonly count: (table: string) => Promise<number>
  /** The store as another process has it: with SQLite, which one process owns, the same one. */
  readonly another: () => Promise<Store>
  /** Does something to the database past the store. */
  readonly run: (statements: string) => Promise<void>
}

/** For tests of verbs: a real store, closed at the end. In the project `postgres` it is one of PostgreSQL. */
export async function openTemporaryStore(atEnd: AtEnd, options: Partial<SqliteOptions> = {}): Promise<TemporaryStore> {
  const port = inject('postgres')
  const file = options.file ?? temporaryFile(atEnd)
  if (port !== undefined) return { ...(await openOnPostgres(atEnd, port)), file }
  const store = await openSqliteStore({ ...options, file })
  atEnd(() => store.close())
  const count = async (table: string) => {
    const database = new DatabaseSync(file, { readOnly: true })
    const row = database.prepare(`select count(*) as count from "${table}"`).get()
    database.close()
    return Number(row?.count)
  }
  const run = async (statements: string) => {
    const database = new DatabaseSync(file)
    database.exec(statements)
    database.close()
  }
  return { store, file, count, run, another: async () => store }
}

async function openOnPostgres(atEnd: AtEnd, port: number): Promise<Omit<TemporaryStore, 'file'>> {
  const url = await createPostgresDatabase(port)
  const another = async () => {
    const store = await openPostgresStore({ url })
    atEnd(() => store.close())
    return store
  }
  const query = async (text: string) => {
    const connection = new Client({ connectionString: url })
    await connection.connect()
    try {
      return await connection.query(text)
    } finally {
      await connection.end()
    }
  }
  const count = async (table: string) => {
    const { rows } = await query(`select count(*) as count from "${table}"`)
    return Number(rows[0].count)
  }
  return { store: await another(), count, another, run: async (statements) => void (await query(statements)) }
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The port of the PostgreSQL server that the tests of verbs run on. */
    readonly postgres?: number
  }
}
