import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Secrets } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Turns } from '../model/turns.ts'
import { createTurns, matchesStretched } from './stretched.ts'

/**
 * Compares secrets in constant time. A generated secret is one SHA-256, and so is an unknown client's. A chosen one is
 * argon2id, paid once per client and process: then it is remembered as an HMAC under a key of the process.
 */
export function createSecrets(random: (length: number) => Uint8Array, turns: Turns = createTurns()): Secrets {
  const processKey = random(32)
  const remembered = new WeakMap<Client, Buffer>()

  const matchesChosen = async (client: Client, presented: string): Promise<boolean> => {
    const seen = createHmac('sha256', processKey).update(presented).digest()
    const isRemembered = () => {
      const known = remembered.get(client)
      return known && timingSafeEqual(known, seen)
    }
    const answer =
      isRemembered() ??
      (await turns(async () => isRemembered() ?? (await matchesStretched(client.client_secret_hash ?? '', presented))))
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

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
