import { existsSync, renameSync, rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import type { Seconds } from '@holdfast/pop'
import { acquireOwnership } from './owner.ts'
import { createPrivateFile } from './private-file.ts'
import { openSqliteStore } from './sqlite.ts'
import { StoreUnusable } from './unusable.ts'

/** What a copy of a database holds. */
export interface Backup {
  readonly file: string
  readonly bytes: number
  /** How many migrations had run. */
  readonly schema: number
}

/**
 * Copies a database as it is at one moment, also while a server writes to it, and looks whether the copy is sound. The
 * copy is one file, readable for its owner only; one that is there is not overwritten.
 * @throws {@link StoreUnusable}
 */
export async function backUp(database: string, file: string): Promise<Backup> {
  if (!existsSync(database)) throw new StoreUnusable(`There is no database ${database}.`)
  if (!createPrivateFile(file)) throw new StoreUnusable(`The file ${file} is there already. Name another one.`)
  const source = new DatabaseSync(database, { readOnly: true, timeout: 5000 })
  try {
    await backup(source, file)
    return inspect(file)
  } catch (cause) {
    remove(file)
    throw unusable(database, cause)
  } finally {
    source.close()
  }
}

/**
 * Puts a copy in the place of a database that no server uses. The database that was there is kept beside it.
 * @param aside what is added to its name
 * @param end the moment at which everything ends that was under way in the copy; left out, it lives again
 * @throws {@link StoreOwned} when a server uses it
 * @throws {@link StoreUnusable} when the copy is not sound
 */
export async function restore(
  file: string,
  database: string,
  { aside, end }: { readonly aside: string; readonly end?: Seconds },
): Promise<Backup> {
  const ownership = await acquireOwnership(database)
  const copy = `${database}.restoring`
  try {
    if (!existsSync(file)) throw new StoreUnusable(`There is no file ${file}.`)
    remove(copy)
    const restored = await backUp(file, copy)
    const store = await openSqliteStore({ file: copy })
    if (end !== undefined) await store.endAll({ now: end })
    await store.close()
    keepUses(database, copy)
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(database + suffix)) renameSync(database + suffix, database + aside + suffix)
    }
    renameSync(copy, database)
    return { ...restored, file: database }
  } finally {
    remove(copy)
    ownership.release()
  }
}

/** What was used up just before cannot be used again just after, as far as the database that goes can say what that was. */
function keepUses(from: string, to: string): void {
  if (!existsSync(from)) return
  const database = new DatabaseSync(to)
  try {
    database.prepare('attach database ? as replaced').run(from)
    database.exec('insert or ignore into main.single_use select * from replaced.single_use')
  } catch {
    // It is often damaged, or it would not be replaced.
  } finally {
    database.close()
  }
}

function remove(database: string): void {
  for (const suffix of ['', '-wal', '-shm', '.owner', '.pid', '.reserve']) rmSync(database + suffix, { force: true })
}

/** Reads a copy whole. @throws {@link StoreUnusable} when it is damaged, or none of ours */
function inspect(file: string): Backup {
  const database = new DatabaseSync(file)
  try {
    database.exec('pragma journal_mode = delete')
    const found = database.prepare('pragma integrity_check').all()
    if (found.length !== 1 || found[0]?.integrity_check !== 'ok') throw new StoreUnusable(`${file} is damaged.`)
    const version = database.prepare('select version from schema_version').get()?.version
    const size = database
      .prepare('select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
      .get()
    return { file, bytes: Number(size?.bytes), schema: Number(version) }
  } finally {
    database.close()
  }
}

/** Without a stack: what is wrong with a file is nobody's defect. */
function unusable(file: string, cause: unknown): StoreUnusable {
  if (cause instanceof StoreUnusable) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StoreUnusable(`${file} is no sound database of Holdfast: ${why}.`, { cause })
}
