import { type BoundedCache, createBoundedCache } from '../foundation/bounded-cache.ts'
import type { Clock } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { PublicJwk } from '../foundation/jwk.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { createDpopNonces, type DpopNonces } from './dpop-nonce.ts'

/** What checking proofs needs. */
export interface DpopContext {
  readonly now: Clock
  readonly primitives: Pick<Primitives, 'verify' | 'sha256'>
  readonly nonces: DpopNonces
  /** The keys that have shown themselves lately, by the header that they came in, which is the same in all proofs of a key. */
  readonly keys: BoundedCache<KnownKey>
}

/** A public key and its name, and the header of a proof that it has signed. */
export interface KnownKey {
  readonly header: JsonObject
  readonly jwk: PublicJwk
  /** RFC 7638 */
  readonly thumbprint: string
}

/** How many keys are kept ready: importing one costs as much as checking a signature. */
const keptKeys = 4096

/** The longest header that is kept, in characters: with a key of ML-DSA-87 and little else. */
export const longestKeptHeader = 5000

/**
 * Creates what one server needs to check proofs.
 * @param nonceKey 32 random bytes, of this server and no other use
 */
export function createDpopContext(
  nonceKey: Uint8Array,
  { now, primitives }: { readonly now: Clock; readonly primitives: Pick<Primitives, 'verify' | 'sha256' | 'hmac'> },
): DpopContext {
  return { now, primitives, nonces: createDpopNonces(nonceKey, primitives), keys: createBoundedCache(keptKeys) }
}
