import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { violationsOf } from '../../packages/server/src/store/history.fixture.ts'
import { openSqliteStore } from '../../packages/server/src/store/sqlite/sqlite.ts'
import { runStore, type StoreEnd } from './store-process.ts'

/** Whether this machine lets processes be traced. */
export const mayTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** What is done to the process at one of its system calls. */
export interface Injection {
  readonly does: 'kill' | 'fail'
  /** `write` is how threads wake each other: between COMMIT and the answer. */
  readonly at: 'pwrite64' | 'fsync' | 'pread64' | 'write'
}

/** What became of one injection. */
export interface Injected {
  readonly end: StoreEnd
  /** Whether the call came, and so something was done. */
  readonly hasFired: boolean
  /** What is wrong, the way in which the process ended included. */
  readonly violations: readonly string[]
}

/** A failure of the disk ends the process so soon, in milliseconds. */
const soon = 1000

/**
 * Runs a store on a new database under strace, which kills its process before the n-th system call of a kind that a
 * thread makes on that database, or lets that one call fail with EIO; then opens the database again and checks it.
 */
export async function injectAt(injection: Injection, n: number, milliseconds = 150): Promise<Injected> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
  const file = join(folder, 'holdfast.db')
  try {
    await (await openSqliteStore({ file, reserve: 4096 })).close()
    const effect = injection.does === 'kill' ? 'signal=KILL' : 'error=EIO'
    const paths = injection.at === 'write' ? [] : ['', '-wal'].flatMap((suffix) => ['-P', file + suffix])
    const wrapper = [
      ...['strace', '-f', '-qq', '-o', join(folder, 'trace'), ...paths],
      ...['-e', `trace=${injection.at}`, '-e', `inject=${injection.at}:${effect}:when=${n}`],
    ]
    const end = await runStore({ file, name: randomUUID(), milliseconds, wrapper })
    const hasFired = end.code !== 0
    return { end, hasFired, violations: [...badEnd(injection, end), ...(await checkStore(file, end))] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the right store says of a database that a process has left. */
export async function checkStore(
  file: string,
  { operations }: Pick<StoreEnd, 'operations'>,
): Promise<readonly string[]> {
  const store = await openSqliteStore({ file, reserve: 4096 })
  try {
    return [...(await violationsOf({ operations: [...operations] }, store)), ...damageOf(file)]
  } finally {
    await store.close()
  }
}

/** A write that fails ends the process at once: what it has on the disk is no longer known. */
function badEnd({ does, at }: Injection, { code, isReady, afterFailure }: StoreEnd): readonly string[] {
  if (does === 'kill' || code === 0) return []
  if (!isReady) return code === 1 ? [] : [`ended with ${code} before it was ready`]
  if (code === 69 && afterFailure !== undefined && afterFailure <= soon) return []
  return [`ended with ${code} ${afterFailure} ms after a failed ${at}`]
}

function damageOf(file: string): readonly string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = database.prepare('pragma integrity_check').all()
  database.close()
  return rows.flatMap(({ integrity_check: said }) => (said === 'ok' ? [] : [`damaged: ${said}`]))
}
