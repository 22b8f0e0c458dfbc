import type { Awaitable, PublicJwk, Seconds } from '@holdfast/pop'
import type { SigningAlgorithm } from '../model/signing-key.ts'

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

/** The signing keys in memory. */
export interface Signer {
  /** @throws Error when the algorithm has no active key: the start makes one for every algorithm in the settings */
  active(algorithm: SigningAlgorithm): ActiveKey
  /** Next, active, and retired as long as their tokens live. */
  published(now: Seconds): readonly PublishedKey[]
  /** Reads the store again, after a rotation. */
  reload(): Promise<void>
}
