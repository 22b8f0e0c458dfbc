import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../ports/store.ts'
import { openSqliteStore, type SqliteOptions } from './sqlite.ts'

/** For tests: registers what to do at the end of one, as Vitest's `onTestFinished` does. */
export type AtEnd = (task: () => void | Promise<void>) => void

/** For tests: a path for a database in a folder of its own, which is removed at the end. */
export function temporaryFile(atEnd: AtEnd): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'holdfast.db')
}

/** For tests: the real store, closed at the end. */
export async function openTemporaryStore(
  atEnd: AtEnd,
  options: Partial<SqliteOptions> = {},
): Promise<{ readonly store: Store; readonly file: string }> {
  const file = options.file ?? temporaryFile(atEnd)
  const store = await openSqliteStore({ ...options, file })
  atEnd(() => store.close())
  return { store, file }
}
