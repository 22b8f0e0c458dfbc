import { existsSync, linkSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import type { Seconds } from '@holdfast/pop'
import type { AuditStamp } from '../../model/audit.ts'
import type { Store } from '../../ports/store.ts'
import { createPrivateFile, synchronise } from '../private-file.ts'
import { StoreUnusable } from '../unusable.ts'
import { isLocked, kindOf } from './failure.ts'
import { acquireOwnership } from './owner.ts'
import { openSqliteStore } from './sqlite.ts'

/** What a copy of a database holds. */
export interface Backup {
  readonly file: string
  readonly bytes: number
  /** How many migrations had run. */
  readonly schema: number
}

/**
 * Copies a database as it is at one moment, also while a server writes to it, and looks whether the copy is sound. The
 * copy is one file, readable for its owner only; one that is there is not overwritten. It has its name when it is whole:
 * what a copy leaves that is killed ends in `.partial`.
 * @throws {@link StoreUnusable}
 */
export async function backUp(database: string, file: string): Promise<Backup> {
  if (!existsSync(database)) throw new StoreUnusable(`There is no database ${database}.`)
  if (existsSync(file)) throw taken(file)
  const draft = `${file}.partial`
  remove(draft)
  createPrivateFile(draft)
  let source: DatabaseSync | undefined
  try {
    source = new DatabaseSync(database, { readOnly: true, timeout: 5000 })
    // One moment: else a copy begins anew whenever somebody writes, and under load never ends.
    source.exec('begin')
    source.prepare('select count(*) from sqlite_schema').get()
    await backup(source, draft)
    const made = inspect(draft)
    publish(draft, file)
    return { ...made, file }
  } catch (cause) {
    if (kindOf(cause) === 'full')
      throw new StoreUnusable(`There is no room for ${file}: its disk is full. Make room, or name another one.`, {
        cause,
      })
    throw unusable(database, cause)
  } finally {
    source?.close()
    remove(draft)
  }
}

/**
 * Puts a copy in the place of a database that no server uses. The database that was there is kept beside it. Whenever this
 * ends early, the database is the one before or the copy, whole; a damaged one can be gone, and then a server refuses to
 * start.
 * @param aside what is added to its name
 * @param end the moment at which everything ends that was under way in the copy; left out, it lives again
 * @param recorded what the audit log of the copy, which is handed over, shall tell of it
 * @throws {@link StoreOwned} when a server uses it
 * @throws {@link StoreUnusable} when the copy is not sound
 */
export async function restore(
  file: string,
  database: string,
  { aside, ...change }: { readonly aside: string } & Restoring,
): Promise<Backup> {
  const ownership = await acquireOwnership(database)
  const copy = `${database}.restoring`
  try {
    if (!existsSync(file)) throw new StoreUnusable(`There is no file ${file}.`)
    remove(copy)
    const restored = await backUp(file, copy)
    const store = await openSqliteStore({ file: copy })
    try {
      keepPast(database, copy)
      await finish(store, change)
    } finally {
      await store.close()
    }
    keepAside(database, aside)
    renameSync(copy, database)
    synchronise(dirname(database))
    return { ...restored, file: database }
  } finally {
    remove(copy)
    ownership.release()
  }
}

interface Restoring {
  readonly end?: Seconds
  readonly recorded?: (copy: Store) => Promise<AuditStamp>
}

async function finish(store: Store, { end, recorded }: Restoring): Promise<void> {
  const audit = await recorded?.(store)
  if (end === undefined) await (audit && store.recordAudit(audit))
  else await (audit ? store.audited({ verb: 'endAll', data: { now: end }, audit }) : store.endAll({ now: end }))
}

/**
 * What was used up just before cannot be used again just after, and the audit log goes on where it was, as far as the
 * database that goes can say what that was.
 */
function keepPast(from: string, to: string): void {
  if (!existsSync(from)) return
  const database = new DatabaseSync(to, { timeout: 5000 })
  try {
    database.prepare('attach database ? as replaced').run(from)
    database.exec('insert or ignore into main.single_use select * from replaced.single_use')
    if (database.prepare(goesOn).get()) database.exec(keepLog)
  } catch {
    // It is often damaged, or it would not be replaced.
  } finally {
    database.close()
  }
}

/** Sealed under the same secret, and no link of the one is another one in the other. */
const goesOn = `
  select 1 from main.state as here, replaced.state as there where here.secret = there.secret and not exists (
    select 1 from main.audit as link join replaced.audit as other using (node, number) where link.mac <> other.mac)`

const keepLog = `
  begin immediate;
  insert or ignore into main.audit select * from replaced.audit;
  insert or replace into main.audit_head
    select there.* from replaced.audit_head as there left join main.audit_head as here using (node)
    where here.number is null or there.number > here.number;
  commit`

/** A link is never made over what has the name already. */
function publish(draft: string, file: string): void {
  try {
    linkSync(draft, file)
  } catch (cause) {
    throw cause instanceof Error && 'code' in cause && cause.code === 'EEXIST' ? taken(file) : cause
  }
  synchronise(dirname(file))
}

function taken(file: string): StoreUnusable {
  return new StoreUnusable(`The file ${file} is there already. Name another one.`)
}

/**
 * Gives the database that goes a second name. One that is sound is a single file first, so that the copy takes its place in
 * one step; of a damaged one the log must go too, or it would be taken for the log of the copy.
 */
function keepAside(database: string, aside: string): void {
  if (existsSync(database) && foldLog(database)) {
    linkSync(database, database + aside)
    return
  }
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(database + suffix)) renameSync(database + suffix, database + aside + suffix)
  }
}

/** @returns false when the database is too damaged for that */
function foldLog(file: string): boolean {
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    return database.prepare('pragma journal_mode = delete').get()?.journal_mode === 'delete'
  } catch (cause) {
    if (isLocked(cause)) throw new StoreUnusable(`Another program reads ${file}. Wait until it has ended.`, { cause })
    return false
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
