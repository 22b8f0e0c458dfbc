import { closeSync, fsyncSync, openSync } from 'node:fs'
import { StoreUnusable } from './unusable.ts'

/**
 * Makes an empty file that only its owner may read and write, unless it is there. One that is there is not opened.
 * @returns false when it is there, or a link with that name
 * @throws {@link StoreUnusable} when there is no such folder, or it may not be written
 */
export function createPrivateFile(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx', 0o600))
    return true
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause
    if (cause.code === 'EEXIST') return false
    throw new StoreUnusable(
      `The file ${file} cannot be made (${cause.code}). Make its folder and let this user write there, or name another file.`,
      { cause },
    )
  }
}

/** Lets the names of the files in a folder survive a power loss, too. */
export function synchronise(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
