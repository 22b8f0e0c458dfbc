import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Room on the disk that is kept for what must still be written when it is full: a file of that size. */
export interface Reserve {
  /** Says whether the room is there to be released. */
  isHeld(): boolean
  /** Gives the room away. */
  release(): void
  /** Takes it, unless the disk has too little. @returns whether it is held now */
  hold(): boolean
}

const mebibyte = 1024 * 1024

/**
 * Creates the reserve beside a database. It is written, not just declared to be long: a file with holes holds nothing.
 * @param bytes its size; the disk must have a mebibyte more
 */
export function createReserve(database: string, bytes: number): Reserve {
  const file = `${database}.reserve`
  let isHeld = sizeOf(file) === bytes

  function hold(): boolean {
    isHeld ||= hasRoom(dirname(database), bytes + mebibyte) && fill(file, bytes)
    return isHeld
  }

  function release(): void {
    rmSync(file, { force: true })
    isHeld = false
  }

  return { isHeld: () => isHeld, release, hold }
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size
}

function hasRoom(folder: string, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize >= bytes
}

/** Quotas are seen only here. What was written of one that does not fit goes again. */
function fill(file: string, bytes: number): boolean {
  rmSync(file, { force: true })
  try {
    const descriptor = openSync(file, 'wx', 0o600)
    try {
      const filling = uneven(Math.min(bytes, mebibyte))
      for (let left = bytes; left > 0; ) left -= writeSync(descriptor, filling, 0, Math.min(left, filling.length))
    } finally {
      closeSync(descriptor)
    }
    return true
  } catch {
    rmSync(file, { force: true })
    return false
  }
}

/** Zeros would be left out by file systems that compress. */
function uneven(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0, state = 1; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt32LE(state, at)
  }
  return bytes
}
