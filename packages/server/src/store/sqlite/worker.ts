import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { StoreUnusable } from '../unusable.ts'
import { openDatabase } from './database.ts'
import { createSqliteDialect } from './dialect.ts'
import { giveBack } from './free-pages.ts'
import { createChanges } from './full-disk.ts'
import type { Call, GroupOutcome } from './group.ts'
import { createReserve, type Reserve } from './reserve.ts'

/** What the worker is started with. */
export interface Start {
  readonly file: string
  /** How much room is kept for a full disk, in bytes. */
  readonly reserve: number
}

/** What the worker is told: changes to make as one group, or to end. */
export type Order = { readonly calls: readonly Call[] } | { readonly close: true }

/**
 * What the worker tells: once whether it has the database, then one outcome for each group, and when the disk is full
 * and has room again.
 */
export type Message =
  | { readonly ready: true }
  | { readonly unusable: string }
  | { readonly group: GroupOutcome }
  | { readonly hasRoom: boolean }

/** How often a full disk is looked at, in milliseconds. */
const lookInterval = 250

// as: the writer starts it with nothing else.
if (parentPort) await serve(parentPort, workerData as Start)

async function serve(port: MessagePort, { file, reserve: bytes }: Start): Promise<void> {
  const tell = (message: Message) => port.postMessage(message)
  const reserve = createReserve(file, bytes)
  let database: DatabaseSync
  try {
    database = await openInRoom(file, () => reserve.release())
  } catch (cause) {
    tell({ unusable: sentenceOf(cause, file) })
    return
  }
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  const changes = createChanges(database, db, { reserve, onFull: waitForRoom })

  function waitForRoom(): void {
    tell({ hasRoom: false })
    const looking = setInterval(() => {
      if (!changes.recover()) return
      clearInterval(looking)
      tell({ hasRoom: true })
    }, lookInterval)
  }

  port.on('message', async (order: Order) => {
    if ('close' in order) {
      database.close()
      process.exit()
    }
    tell({ group: await changes.make(order.calls) })
    if (order.calls.some(({ verb }) => verb === 'purge')) tidy(database, reserve)
  })
  tell({ ready: true })
  if (!changes.recover()) waitForRoom()
}

/** Nobody waits for it, and where it fails the next change tells why. */
function tidy(database: DatabaseSync, reserve: Reserve): void {
  try {
    if (reserve.isHeld()) giveBack(database)
  } catch {}
}

/** Where the disk is full, a start needs a little of the reserve too. */
async function openInRoom(file: string, release: () => void): Promise<DatabaseSync> {
  try {
    return await openDatabase(file)
  } catch (cause) {
    if (cause instanceof StoreUnusable) throw cause
    release()
    return await openDatabase(file)
  }
}

function sentenceOf(cause: unknown, file: string): string {
  if (cause instanceof StoreUnusable) return cause.message
  return `The database ${file} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}.`
}
