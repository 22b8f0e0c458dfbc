import { type BoundedCache, createBoundedCache } from '../foundation/bounded-cache.ts'
import type { Clock } from '../foundation/clock.ts'
import type { PublicJwk } from '../foundation/jwk.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { createDpopNonces, type DpopNonces } from './dpop-nonce.ts'

/** What checking proofs needs. */
export interface DpopContext {
  readonly now: Clock
  readonly primitives: Pick<Primitives, 'verify' | 'sha256'>
  readonly nonces: DpopNonces
  /** The keys that have shown themselves lately, so that none is imported for each proof. */
  readonly keys: BoundedCache<KnownKey>
}

/** A public key and its name. */
export interface KnownKey {
  readonly jwk: PublicJwk
  /** RFC 7638 */
  readonly thumbprint: string
}

/** How many keys are kept ready: importing one costs as much as checking a signature. */
const keptKeys = 4096

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
