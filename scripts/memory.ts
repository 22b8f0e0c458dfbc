import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** Linux keeps it in memory. */
const place = '/dev/shm'
/** Bytes that must be free in it: containers often have little. */
const room = 3 * 2 ** 30

/**
 * A folder in memory for databases that nobody wants to keep: one on a disk waits for it at each commit. It is removed
 * when this process ends, with all that has been left in it.
 *
 * @returns nothing where the system has none that is large enough and lets programs run
 */
export function openMemory(): string | undefined {
  if (!hasRoom()) return
  const folder = mkdtempSync(join(place, 'holdfast-test-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  // Servers that run for nobody have folders of their own in it.
  chmodSync(folder, 0o755)
  return runsPrograms(folder) ? folder : undefined
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(place)
    return bavail * bsize >= room
  } catch {
    return false
  }
}

function runsPrograms(folder: string): boolean {
  const program = join(folder, 'program')
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 })
  return spawnSync(program).status === 0
}
