import { argon2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Refused } from '@holdfast/pop'
import { createQueue, type Turns } from '../model/turns.ts'

const derive = promisify(argon2)

/** How many secrets are stretched at once, and how long another one waits for its turn, in milliseconds. */
const atOnce = 2
const longestWait = 1000

/** Gives turns at stretching. One for the process: it bounds memory and cores. */
export function createTurns(): Turns {
  return createQueue({ atOnce, longestWait, tooLate: () => new Refused('client_busy', { retryAfter: 1 }) })
}

/**
 * Whether a chosen secret is the one that was stretched. RFC 9106. Run it in its {@link createTurns | turn}.
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
