import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { migrate } from '../migrator.ts'
import { StoreUnusable } from '../unusable.ts'
import { createSqliteDialect } from './dialect.ts'

/** How long SQLite waits for another program, such as a backup, before a group fails, in milliseconds. */
const patience = 250

/** How much of the disk the log keeps after it was long, in bytes. */
const longestLog = 16 * 1024 * 1024

/**
 * Opens a database to change it, and migrates it: a COMMIT ends when it is on the disk.
 * @throws {@link StoreUnusable} when it was migrated by a newer Holdfast, or this SQLite could corrupt it
 */
export async function openDatabase(file: string): Promise<DatabaseSync> {
  const database = new DatabaseSync(file, { timeout: patience, enableForeignKeyConstraints: true })
  try {
    requireSoundSqlite(database)
    // First: it is decided when the file is made. Emptied pages can be given back then.
    database.exec('pragma auto_vacuum = incremental')
    database.exec('pragma journal_mode = wal; pragma synchronous = full')
    database.exec(`pragma journal_size_limit = ${longestLog}`)
    const db = new Kysely<unknown>({ dialect: createSqliteDialect(database) })
    await db.transaction().execute((transaction) => migrate(transaction))
    return database
  } catch (cause) {
    database.close()
    throw cause
  }
}

/** Before 3.52 a reset of the write-ahead log can corrupt the database. */
function requireSoundSqlite(database: DatabaseSync): void {
  const version = String(database.prepare('select sqlite_version() as version').get()?.version)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 3 || (major === 3 && minor >= 52)) return
  throw new StoreUnusable(`This Node carries SQLite ${version}, which can corrupt a database. Run Node 24.16 or later.`)
}
