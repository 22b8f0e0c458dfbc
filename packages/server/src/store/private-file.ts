import { closeSync, openSync } from 'node:fs'

/** Makes an empty file that only its owner may read and write, unless it is there. One that is there is not opened. */
export function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
  }
}
