import type { Awaitable, PublicJwk, Seconds } from '@holdfast/pop'
import type { SigningAlgorithm } from '../model/signing-key.ts'

/** Tokens cannot be signed now: what holds the keys does not answer, or not as it should. */
export class SignerUnavailable extends Error {
  override readonly name = 'SignerUnavailable'
}

/** A key that signs tokens now. */
export interface ActiveKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  /** @returns the signature as JWS writes it (ECDSA: r and s) */
  sign(data: Uint8Array): Awaitable<Uint8Array>
}

/** A key with which tokens of ours can be verified. */
export interface PublishedKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly key: PublicJwk
}

/** The signing keys. */
export interface Signer {
  /** @throws Error when the algorithm has no active key: the start makes one for every algorithm in the settings */
  active(algorithm: SigningAlgorithm): ActiveKey
  /** Next, active, and retired as long as their tokens live. */
  published(now: Seconds): readonly PublishedKey[]
  /** Looks for keys that are new or gone. */
  reload(): Promise<void>
}

/**
 * A signer that an application brings: keys that stay in a KMS, an HSM, or a service of its own. It makes, rotates and
 * retires them. A new key must be published for a while before it signs, and an old one for as long as its tokens live.
 *
 * `active` and `published` answer from memory. `reload` is awaited before the server starts, and called every 15 seconds.
 * Each signature is checked with the key that is published under its `kid`, and given two seconds.
 */
export interface OutsideSigner extends Signer {
  /** For which it has keys. */
  readonly algorithms: readonly SigningAlgorithm[]
}
