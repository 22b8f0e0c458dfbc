import type { DatabaseSync } from 'node:sqlite'

/** So many pages without content are kept for what comes next: the larger of a number, and of a part of all. */
const [fewestKept, partKept] = [256, 1 / 8]

/** So many are given back at once: a megabyte, in a few milliseconds. */
const mostAtOnce = 256

/** Gives the disk back what a purge has emptied, a little at a time. The file ends earlier after the next checkpoint. */
export function giveBack(database: DatabaseSync): void {
  const free = read(database, 'freelist_count')
  const surplus = Math.ceil(free - Math.max(fewestKept, read(database, 'page_count') * partKept))
  if (surplus > 0) database.exec(`pragma incremental_vacuum(${Math.min(surplus, mostAtOnce)})`)
}

function read(database: DatabaseSync, pragma: 'freelist_count' | 'page_count'): number {
  return Number(database.prepare(`pragma ${pragma}`).get()?.[pragma])
}
