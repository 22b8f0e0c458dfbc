import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { Report } from '../../ports/report.ts'
import { type Store, StoreUnavailable } from '../../ports/store.ts'
import { assembleStore } from '../assemble.ts'
import { createPrivateFile } from '../private-file.ts'
import type { Schema } from '../schema.ts'
import { type ChangeData, reads } from '../verbs.ts'
import { createSqliteDialect } from './dialect.ts'
import { isOutage } from './failure.ts'
import { acquireOwnership, type Ownership } from './owner.ts'
import { requireNotReplaced } from './replaced.ts'
import { Writer } from './writer.ts'

/** How an SQLite store is opened. */
export interface SqliteOptions {
  /** Made when it is not there, readable for its owner only. */
  readonly file: string
  /** Told `store_failed` when the database can no longer be used: the process must end and be started again. */
  readonly report?: (report: Report) => void
  /** How many changes may wait, 10 000 by default. */
  readonly limit?: number
  /** How much of the disk is kept for what ends something when it is full, in bytes. 8 MiB by default. */
  readonly reserve?: number
}

/**
 * Opens the database file, migrates it and makes this process its owner. Changes go through a worker thread, a
 * transaction for all that wait; reads are answered on this thread, from a connection that cannot write.
 * @throws {@link StoreOwned} when another process has it
 * @throws {@link StoreUnusable} when it was migrated by a newer Holdfast, or is no database
 */
export async function openSqliteStore({
  file,
  report = () => {},
  limit = 10_000,
  reserve = 8 * 1024 * 1024,
}: SqliteOptions): Promise<Store> {
  const ownership = await acquireOwnership(file)
  const writer = await openWriter({ file, report, limit, reserve }, ownership)
  // What listens to a running worker is never collected: the lock lives exactly as long as the writer.
  const released = writer.exited.then(() => ownership.release())
  return createStore(writer, new DatabaseSync(file, { readOnly: true, timeout: 50 }), released)
}

async function openWriter(
  { file, report, limit, reserve }: Required<SqliteOptions>,
  ownership: Ownership,
): Promise<Writer> {
  try {
    requireNotReplaced(file)
    createPrivateFile(file)
    return await Writer.open({ file, reserve }, report, limit)
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

function createStore(writer: Writer, readonly: DatabaseSync, released: Promise<void>): Store {
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(readonly) })

  async function read<Answer>(verb: () => Promise<Answer>): Promise<Answer> {
    if (writer.ended) throw writer.ended
    try {
      return await verb()
    } catch (cause) {
      throw isOutage(cause) ? new StoreUnavailable('The database cannot be read.', { cause }) : cause
    }
  }

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    const drained = writer.close()
    readonly.close()
    await drained
    await released
  }

  return assembleStore(
    {
      // as: the store's methods have the types of the verbs.
      change: (name, data) => writer.run(name, data as ChangeData<typeof name>),
      read: (name, data) =>
        read(() => (reads[name] as (db: Kysely<Schema>, data: unknown) => Promise<unknown>)(db, data)),
    },
    { watch() {}, close: () => (closing ??= close()) },
  )
}
