import { DatabaseSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Kysely } from 'kysely'
import { type Call, type GroupOutcome, runGroup } from './group.ts'
import { migrate } from './migrator.ts'
import type { Schema } from './schema.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { StoreUnusable } from './unusable.ts'

/** What the worker is told: changes to make as one group, or to end. */
export type Order = { readonly calls: readonly Call[] } | { readonly close: true }

/** What the worker tells: once whether it has the database, then one outcome for each group. */
export type Message = { readonly ready: true } | { readonly unusable: string } | { readonly group: GroupOutcome }

/** How long SQLite waits for another program, such as a backup, before a group fails. */
const patience = 250

if (parentPort) await serve(parentPort, String(workerData))

async function serve(port: MessagePort, file: string): Promise<void> {
  const tell = (message: Message) => port.postMessage(message)
  let database: DatabaseSync
  try {
    database = await open(file)
  } catch (cause) {
    tell({ unusable: sentenceOf(cause, file) })
    return
  }
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  port.on('message', async (order: Order) => {
    if ('close' in order) {
      database.close()
      process.exit()
    }
    tell({ group: await runGroup(database, db, order.calls) })
  })
  tell({ ready: true })
}

async function open(file: string): Promise<DatabaseSync> {
  const database = new DatabaseSync(file, { timeout: patience, enableForeignKeyConstraints: true })
  try {
    requireSoundSqlite(database)
    database.exec('pragma journal_mode = wal; pragma synchronous = full')
    const db = new Kysely<unknown>({ dialect: createSqliteDialect(database) })
    await db.transaction().execute((transaction) => migrate(transaction))
    return database
  } catch (cause) {
    database.close()
    throw cause
  }
}

function sentenceOf(cause: unknown, file: string): string {
  if (cause instanceof StoreUnusable) return cause.message
  return `The database ${file} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}.`
}

/** Before 3.52 a reset of the write-ahead log can corrupt the database. */
function requireSoundSqlite(database: DatabaseSync): void {
  const version = String(database.prepare('select sqlite_version() as version').get()?.version)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 3 || (major === 3 && minor >= 52)) return
  throw new StoreUnusable(`This Node carries SQLite ${version}, which can corrupt a database. Run Node 24.16 or later.`)
}
