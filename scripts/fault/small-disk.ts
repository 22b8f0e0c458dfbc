import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** A disk of a few mebibytes, in memory. */
export interface SmallDisk {
  readonly folder: string
  /** Fills it to the last byte with something that is not ours. */
  fill(): void
  /** Takes that away. */
  free(): void
  /** Nothing may use it any more. */
  unmount(): void
}

/** Whether this user may mount one. */
export const mayMount = process.platform === 'linux' && process.getuid?.() === 0 && canMount()

/** Mounts one of so many mebibytes. */
export function mountSmallDisk(size: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-disk-'))
  if (!run('mount', '-t', 'tmpfs', '-o', `size=${size}m`, 'holdfast', folder)) throw new Error('It cannot be mounted.')
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      const descriptor = openSync(filler, 'a')
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(4096, 1))
      } catch {
        // It is full.
      } finally {
        closeSync(descriptor)
      }
    },
    free: () => rmSync(filler),
    unmount() {
      run('umount', folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function canMount(): boolean {
  try {
    mountSmallDisk(1).unmount()
    return true
  } catch {
    return false
  }
}

function run(...[program = '', ...rest]: readonly string[]): boolean {
  return spawnSync(program, rest, { stdio: 'ignore' }).status === 0
}
