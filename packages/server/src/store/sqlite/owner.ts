import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { createPrivateFile } from '../private-file.ts'
import { isLocked } from './failure.ts'

/** Another process has the database open. */
export class StoreOwned extends Error {
  override readonly name = 'StoreOwned'
  /** Absent when the owner has not written it down. */
  readonly pid: number | undefined

  constructor(file: string, pid: number | undefined) {
    super(
      `The database ${file} belongs to process ${pid ?? '(unknown)'}. Stop that one first, or give this one another store.file.`,
    )
    this.pid = pid
  }
}

/** Holds a database for this process, as long as somebody holds this object: a lock that is collected is released. */
export interface Ownership {
  release(): void
}

/**
 * Makes this process the one owner of a database file. The lock is a write transaction on an empty SQLite file beside
 * it, which the kernel drops with the process, however that ends; no journal, so nothing is left to recover. The lock file is only ever opened by SQLite:
 * closing any other descriptor of it would drop the lock (POSIX).
 * @throws {@link StoreOwned}
 */
export async function acquireOwnership(file: string): Promise<Ownership> {
  const place = placeOf(file)
  const lock = `${place}.owner`
  const note = `${place}.pid`
  createPrivateFile(lock)
  const database = new DatabaseSync(lock, { timeout: 0 })
  try {
    database.exec('pragma journal_mode = memory; begin immediate')
  } catch (cause) {
    database.close()
    if (!isLocked(cause)) throw cause
    throw new StoreOwned(file, await ownerIn(note))
  }
  writeNote(note)
  return {
    release() {
      rmSync(note, { force: true })
      database.close()
    },
  }
}

/** Where a file lies, whatever links lead to it: one that is not there yet, by its folder. */
function placeOf(file: string): string {
  for (const path of [file, dirname(file)]) {
    try {
      const real = realpathSync(path)
      return path === file ? real : join(real, basename(file))
    } catch {
      // It is made later, or its folder is missing too, which is said where the file is made.
    }
  }
  return file
}

/** A full disk has no room for it: then nobody learns who the owner is, and that is all. */
function writeNote(note: string): void {
  try {
    writeFileSync(`${note}.new`, `${process.pid}\n`, { mode: 0o600 })
    renameSync(`${note}.new`, note)
  } catch {
    rmSync(`${note}.new`, { force: true })
  }
}

/** The owner writes its pid just after it has the lock, so a note that is missing or stale gets a moment. */
async function ownerIn(note: string): Promise<number | undefined> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const pid = readPid(note)
    if (pid !== undefined && isAlive(pid)) return pid
    await pause(20)
  }
  return undefined
}

function readPid(note: string): number | undefined {
  try {
    const pid = Number(readFileSync(note, 'utf8'))
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'
  }
}
