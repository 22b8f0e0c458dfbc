import { fstatSync, writeSync } from 'node:fs'

/** Where lines of the log go. It never makes a request wait, never throws, and never keeps more than it may. */
export interface Lines {
  write(line: string): void
  /** How many lines were lost since it was last asked: nothing before lines can be written again. */
  takeLost(): number
  /** How many were lost in all, told or not. */
  lost(): number
  /** The process shall end, even when nobody reads what is left. */
  end(): void
}

/** So many characters may wait for a reader; what comes then is lost. */
const mostWaiting = 1_048_576

/** So long the last lines may take, in milliseconds. */
const longestEnd = 1000

/** Lines of so many milliseconds are written together. */
const together = 10

/** A pipe takes so many bytes whole, or none of them: `PIPE_BUF`. More than that is torn when several processes write to it. */
const wholeBytes = 4096

/**
 * Writes lines to standard output, those of a hundredth of a second together. A process that is killed loses those of its
 * last, one that ends by itself none.
 */
export function openLines(): Lines {
  const sink = isPiped(1) ? openPipe() : openFile(1)
  let pending: string[] = []
  let lost = 0
  let told = 0
  const flush = (cut: typeof piecesOf): void => {
    const lines = pending
    pending = []
    for (const piece of cut(lines)) if (!sink.take(piece.join(''))) lost += piece.length
  }
  // Only the first write of a process that exits is sure to be done.
  process.on('exit', () => flush((lines) => (lines.length > 0 ? [lines] : [])))
  return {
    write(line) {
      if (pending.push(line) === 1) setTimeout(flush, together, piecesOf)
    },
    takeLost() {
      const untold = sink.isWell() ? lost - told : 0
      told += untold
      return untold
    },
    lost: () => lost,
    end() {
      flush(piecesOf)
      if (sink.isBusy()) setTimeout(() => process.exit(), longestEnd).unref()
    },
  }
}

/** Parts that a pipe takes whole. A line that is longer is one of its own. */
function piecesOf(lines: readonly string[]): readonly (readonly string[])[] {
  const pieces: string[][] = []
  let room = 0
  for (const line of lines) {
    const bytes = Buffer.byteLength(line)
    if (bytes > room) {
      pieces.push([])
      room = wholeBytes
    }
    pieces.at(-1)?.push(line)
    room -= bytes
  }
  return pieces
}

interface Sink {
  /** @returns false when it is lost */
  take(text: string): boolean
  isWell(): boolean
  /** What it has taken is not read yet, and keeps the process alive. */
  isBusy(): boolean
}

/** A pipe or a socket: what its reader has not taken yet waits here. */
function openPipe(): Sink {
  const { stdout } = process
  let isOpen = true
  // Pieces that have waited are not written together either.
  Object.assign(stdout, { _writev: null })
  // A command ends when its reader has gone; a server does not.
  stdout.removeAllListeners('error').on('error', () => {
    isOpen = false
  })
  const isWell = () => isOpen && stdout.writableLength < mostWaiting
  return {
    isWell,
    isBusy: () => isOpen && stdout.writableLength > 0,
    take(text) {
      const taken = isWell()
      if (taken) stdout.write(text)
      return taken
    },
  }
}

/** A file or a terminal, which may be full for a while. */
function openFile(descriptor: number): Sink {
  let isWell = true
  let isTorn = false
  return {
    isWell: () => isWell,
    isBusy: () => false,
    take(text) {
      const bytes = Buffer.from(isTorn ? `\n${text}` : text)
      try {
        const written = writeSync(descriptor, bytes)
        isWell = written === bytes.length
        isTorn = !isWell && (isTorn || written > 0)
      } catch {
        isWell = false
      }
      return isWell
    },
  }
}

function isPiped(descriptor: number): boolean {
  const found = fstatSync(descriptor)
  return found.isFIFO() || found.isSocket()
}
