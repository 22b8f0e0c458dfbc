import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Seconds } from '@holdfast/pop'
import { StoreUnusable } from '../unusable.ts'

const mark = '.before-restore-'

/** What the name of a database gets that a copy replaces: no file has that name yet. */
export function asideOf(database: string, now: Seconds): string {
  let aside = `${mark}${now}`
  for (let count = 2; existsSync(database + aside); count++) aside = `${mark}${now}-${count}`
  return aside
}

/**
 * An empty database is not made where one was taken away and none put in its place: its server would know no client, key
 * or revocation any more.
 * @throws {@link StoreUnusable} after a restore that ended in the middle
 */
export function requireNotReplaced(file: string): void {
  if (existsSync(file) || !existsSync(dirname(file))) return
  const kept = readdirSync(dirname(file)).find((name) => name.startsWith(basename(file) + mark))
  if (kept === undefined) return
  throw new StoreUnusable(
    `There is no database ${file}, and ${kept} lies beside it: a restore has not ended. Run holdfast restore again, or give that file its name back.`,
  )
}
