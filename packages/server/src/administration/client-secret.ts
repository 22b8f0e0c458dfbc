import { argon2, hash } from 'node:crypto'
import { promisify } from 'node:util'
import { encodeBase64url } from '@holdfast/pop'

const derive = promisify(argon2)

/** What one comparison of a chosen secret costs: 19 MiB and two passes, as OWASP recommends for argon2id. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const

/**
 * Makes a secret of 256 bit. Being random it needs no slow hash.
 * @returns the secret, to be shown once, and its hash, to be kept
 */
export function generateSecret(random: (length: number) => Uint8Array): {
  readonly secret: string
  readonly hash: string
} {
  const secret = encodeBase64url(random(32))
  return { secret, hash: `sha256:${hash('sha256', secret, 'base64url')}` }
}

/** The hash of a secret that a person chose: argon2id, in the PHC string format. RFC 9106. */
export async function chooseSecret(secret: string, random: (length: number) => Uint8Array): Promise<string> {
  const salt = random(16)
  const tag = await derive('argon2id', { message: secret, nonce: salt, ...cost })
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}
