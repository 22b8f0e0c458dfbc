import { fstatSync, writeSync } from 'node:fs'

/** Where lines of the log go. It never makes a request wait, never throws, and never keeps more than it may. */
export interface Lines {
  write(line: string): void
  /** How many lines were lost since it was last asked: nothing before lines can be written again. */
  takeLost(): number
  /** The process shall end, even when nobody reads what is left. */
  end(): void
}

/** So many characters may wait for a reader; what comes then is lost. */
const mostWaiting = 1_048_576

/** So long the last lines may take, in milliseconds. */
const longestEnd = 1000

/** Lines of so many milliseconds are written together. */
const together = 10

/**
 * Writes lines to standard output, those of a hundredth of a second together. A process that is killed loses those of its
 * last, one that ends by itself none.
 */
export function openLines(): Lines {
  const sink = isPiped(1) ? openPipe() : openFile(1)
  let pending: string[] = []
  let lost = 0
  const flush = (): void => {
    const lines = pending
    pending = []
    if (lines.length > 0 && !sink.take(lines.join(''))) lost += lines.length
  }
  process.on('exit', flush)
  return {
    write(line) {
      if (pending.push(line) === 1) setTimeout(flush, together)
    },
    takeLost() {
      const told = lost > 0 && sink.isWell() ? lost : 0
      lost -= told
      return told
    },
    end() {
      flush()
      if (sink.isBusy()) setTimeout(() => process.exit(), longestEnd).unref()
    },
  }
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
