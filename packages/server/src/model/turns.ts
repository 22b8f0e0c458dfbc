/**
 * Runs work when its turn comes. Who comes from one place stands in one line, and the lines take turns: a flood from
 * one place keeps nobody waiting but itself.
 * @throws what `tooLate` makes when it does not come in time
 */
export type Turns = <T>(work: () => Promise<T>, from?: string) => Promise<T>

/** How work takes turns. */
export interface TurnsOptions {
  /** So much runs at once. */
  readonly atOnce: number
  /** So long something waits for its turn, in milliseconds. */
  readonly longestWait: number
  readonly tooLate: () => Error
}

/** Runs a few at once; the others wait their turn, but not for ever. */
export function createQueue({ atOnce, longestWait, tooLate }: TurnsOptions): Turns {
  let running = 0
  const lines = new Map<string, Set<() => void>>()

  const leave = (from: string, start: () => void): void => {
    const line = lines.get(from)
    line?.delete(start)
    if (line?.size === 0) lines.delete(from)
  }
  const turn = (from: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = () => {
        clearTimeout(timer)
        running++
        resolve()
      }
      const timer = setTimeout(() => {
        leave(from, start)
        reject(tooLate())
      }, longestWait)
      if (running < atOnce) start()
      else lines.set(from, (lines.get(from) ?? new Set()).add(start))
    })
  const next = (): void => {
    const [first] = lines
    if (!first) return
    const [from, line] = first
    const [start] = line
    lines.delete(from)
    if (line.size > 1) lines.set(from, line)
    if (start) line.delete(start)
    start?.()
  }
  return async (work, from = '') => {
    await turn(from)
    try {
      return await work()
    } finally {
      running--
      next()
    }
  }
}
