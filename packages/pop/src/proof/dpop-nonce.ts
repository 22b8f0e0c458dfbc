import { decodeBase64url, encodeBase64url } from '../foundation/base64url.ts'
import type { Seconds } from '../foundation/clock.ts'
import { equalInConstantTime } from '../foundation/constant-time.ts'
import type { Awaitable, Primitives } from '../foundation/primitives.ts'

/** How long a nonce counts. */
export const nonceLifetime: Seconds = 300

/** A new one is handed out this often, so that clients seldom have to change theirs. */
const step: Seconds = 10

/**
 * The nonces of one server: authenticated time. Nothing is stored, and whoever has the key knows them: all processes of
 * a server share it, and no two servers do. RFC 9449 §8, §9.
 */
export interface DpopNonces {
  /** Gives the nonce of this moment. */
  readonly issue: (now: Seconds) => Awaitable<string>
  /** @returns when it was made; undefined for what this server did not make, or made too long ago */
  readonly find: (nonce: string, now: Seconds) => Awaitable<Seconds | undefined>
}

/**
 * Creates the nonces of a server.
 * @param key 32 random bytes, of this server and no other use
 */
export function createDpopNonces(key: Uint8Array, { hmac }: Pick<Primitives, 'hmac'>): DpopNonces {
  let last: { readonly made: Seconds; readonly nonce: string } | undefined
  const nonceOf = async (made: Seconds): Promise<string> => {
    const time = new Uint8Array(8)
    new DataView(time.buffer).setBigUint64(0, BigInt(made))
    const bytes = new Uint8Array(24)
    bytes.set(time)
    bytes.set((await hmac(key, time)).subarray(0, 16), 8)
    return encodeBase64url(bytes)
  }
  return {
    issue: async (now) => {
      const made = Math.floor(now / step) * step
      if (last?.made !== made) last = { made, nonce: await nonceOf(made) }
      return last.nonce
    },
    find: async (nonce, now) => {
      if (nonce.length !== 32) return undefined
      const bytes = decodeBase64url(nonce)
      if (!bytes) return undefined
      const made = Number(new DataView(bytes.buffer).getBigUint64(0))
      if (made > now || now - made > nonceLifetime) return undefined
      return equalInConstantTime(nonce, await nonceOf(made)) ? made : undefined
    },
  }
}
