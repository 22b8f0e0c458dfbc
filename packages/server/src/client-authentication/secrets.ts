import { argon2, createHmac, hash, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Refused } from '@holdfast/pop'
import type { Secrets } from '../context.ts'
import type { Client } from '../model/client.ts'

const derive = promisify(argon2)

/** How many secrets are stretched at once, and how long another one waits for its turn, in milliseconds. */
const atOnce = 2
const longestWait = 1000

interface Stretched {
  readonly nonce: Buffer
  readonly tag: Buffer
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

/**
 * Compares secrets in constant time. A generated secret is one SHA-256, and so is an unknown client's. A chosen one is
 * argon2id, paid once per client and process: then it is remembered as an HMAC under a key of the process.
 */
export function createSecrets(random: (length: number) => Uint8Array): Secrets {
  const processKey = random(32)
  const remembered = new WeakMap<Client, Buffer>()
  const stretch = createQueue()

  const matchesChosen = async (client: Client, presented: string): Promise<boolean> => {
    const seen = createHmac('sha256', processKey).update(presented).digest()
    const isRemembered = () => {
      const known = remembered.get(client)
      return known && timingSafeEqual(known, seen)
    }
    const answer =
      isRemembered() ?? (await stretch(async () => isRemembered() ?? (await matchesStretched(client, presented))))
    if (answer) remembered.set(client, seen)
    return answer
  }

  return {
    matches(client, presented) {
      const seen = sha256(presented)
      if (!client) return false
      const digest = digestOf(client)
      return digest ? timingSafeEqual(digest, seen) : matchesChosen(client, presented)
    },
  }
}

const digests = new WeakMap<Client, Buffer>()

/** The SHA-256 of a generated secret, or of one in clear; undefined for a chosen one. */
function digestOf(client: Client): Buffer | undefined {
  const known = digests.get(client)
  if (known) return known
  const { client_secret: clear, client_secret_hash: hashed } = client
  const digest =
    clear !== undefined
      ? sha256(clear)
      : hashed?.startsWith('sha256:')
        ? Buffer.from(hashed.slice(7), 'base64url')
        : undefined
  if (digest) digests.set(client, digest)
  return digest
}

async function matchesStretched({ client_secret_hash = '' }: Client, presented: string): Promise<boolean> {
  const { nonce, memory, passes, parallelism, tag } = parseStretched(client_secret_hash)
  const parameters = { message: presented, nonce, memory, passes, parallelism, tagLength: tag.length }
  return timingSafeEqual(await derive('argon2id', parameters), tag)
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/** Reads `$argon2id$v=19$m=..,t=..,p=..$salt$tag`, whose form the registration has checked. */
function parseStretched(text: string): Stretched {
  const [, , , parameters = '', salt = '', tag = ''] = text.split('$')
  const [memory = 0, passes = 0, parallelism = 0] = parameters.split(',').map((each) => Number(each.slice(2)))
  return { nonce: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64'), memory, passes, parallelism }
}

/** Runs a few at once; the others wait their turn, but not for ever. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  const turn = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = () => {
        clearTimeout(timer)
        running++
        resolve()
      }
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(start), 1)
        reject(new Refused('client_busy', { retryAfter: 1 }))
      }, longestWait)
      if (running < atOnce) start()
      else waiting.push(start)
    })
  return async (work) => {
    await turn()
    try {
      return await work()
    } finally {
      running--
      waiting.shift()?.()
    }
  }
}
