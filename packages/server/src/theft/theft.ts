import type { ProofKey } from '@holdfast/pop'

/** What a thief has: the token, and what can be read on the wire or found lying about. */
export interface Loot {
  readonly token: string
  readonly url: URL
  /** The CAs that the API's own certificate is checked against, as PEM. The system's when absent. */
  readonly ca?: string
  /** The certificate that the token is bound to, as PEM. It is public. */
  readonly certificate?: string
  /** The key of that certificate, only to open the session that the thief resumes. */
  readonly key?: string
  /** The DPoP key that the token is bound to, only to make the proofs that the thief captures. */
  readonly proofKey?: ProofKey
  /** The name to put in a certificate of the thief's own when the owner's is not known. */
  readonly name: string
}

/** A way of using somebody else's token. */
export interface Theft {
  readonly name: string
  /** How a token is bound that is used in this way. */
  readonly against: 'certificate' | 'dpop'
  /** What the thief does, for people. */
  readonly says: string
  attempt(loot: Loot): Promise<readonly Attempt[]>
}

/**
 * What came of one request of a thief. `refused`: the API said no for the token's sake. `admitted`: it answered.
 * `unclear`: neither, such as a 404 or a 503, which shows nothing.
 */
export interface Attempt {
  readonly outcome: 'refused' | 'admitted' | 'unclear'
  /** Which variant of the theft, where there are several. */
  readonly variant?: string
  readonly status?: number
  /** The OAuth error code of the challenge. */
  readonly error?: string
  /** What the API hands out for the next proof. RFC 9449 §9. */
  readonly nonce?: string
  /** What the API said, or why there was no answer. */
  readonly answer: string
}

/** The attempt of a theft that went furthest. */
export function worstOf(attempts: readonly Attempt[]): Attempt | undefined {
  return (
    attempts.find(({ outcome }) => outcome === 'admitted') ??
    attempts.find(({ outcome }) => outcome === 'unclear') ??
    attempts[0]
  )
}
