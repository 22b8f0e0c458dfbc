import { argon2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Refused } from '@holdfast/pop'

/**
 * Runs work when its turn comes. Who comes from one place stands in one line, and the lines take turns: a flood from
 * one place keeps nobody waiting but itself.
 * @throws Refused `client_busy` when it does not come in time
 */
export type Turns = <T>(work: () => Promise<T>, from?: string) => Promise<T>

const derive = promisify(argon2)

/** How many secrets are stretched at once, and how long another one waits for its turn, in milliseconds. */
const atOnce = 2
const longestWait = 1000

/** Runs a few at once; the others wait their turn, but not for ever. One for the process: it bounds memory and cores. */
export function createTurns(): Turns {
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
        reject(new Refused('client_busy', { retryAfter: 1 }))
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

/**
 * Whether a chosen secret is the one that was stretched. RFC 9106. Run it in its {@link Turns | turn}.
 * @param stretched `$argon2id$v=19$m=..,t=..,p=..$salt$tag`, whose form was checked when it was registered
 */
export async function matchesStretched(stretched: string, presented: string): Promise<boolean> {
  const [, , , parameters = '', salt = '', encoded = ''] = stretched.split('$')
  const [memory = 0, passes = 0, parallelism = 0] = parameters.split(',').map((each) => Number(each.slice(2)))
  const tag = Buffer.from(encoded, 'base64')
  const cost = { memory, passes, parallelism, tagLength: tag.length }
  return timingSafeEqual(
    await derive('argon2id', { message: presented, nonce: Buffer.from(salt, 'base64'), ...cost }),
    tag,
  )
}
