import type { Seconds } from '@holdfast/pop'

/**
 * The algorithms with which tokens are signed. RFC 9068 §2.1 asks for RS256 among them.
 *
 * Ed25519 signs under two names. A key of ours has the one that it was made for, in its JWK and in each token: `EdDSA`
 * is known to every verifier, `Ed25519` is what RFC 9864 §2.2 wants instead. A verifier that knows one of them only must
 * not meet the other without its operator's will, so neither stands for the other.
 */
export const signingAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS256',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const

/** The algorithm of a signing key. */
export type SigningAlgorithm = (typeof signingAlgorithms)[number]

/** A signing key at rest. `next` is published before it signs, `retired` as long as its tokens live. */
export type SigningKey = {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  /** The public key as JWK, ready to publish, in JSON. */
  readonly publicJwk: string
  /** The private key in PKCS #8, encrypted: `v1.` and base64url of ciphertext and tag (AES-256-GCM, key and nonce derived for the kid). */
  readonly sealed: string
  readonly created: Seconds
} & (
  | { readonly stage: 'next' }
  | { readonly stage: 'active'; readonly since: Seconds }
  | { readonly stage: 'retired'; readonly since: Seconds; readonly expires: Seconds }
)
