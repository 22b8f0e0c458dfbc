import type { Seconds } from '@holdfast/pop'

/** The algorithms with which tokens are signed. RFC 9068 §2.1 asks for RS256 among them. */
export const signingAlgorithms = ['ES256', 'EdDSA', 'PS256', 'RS256', 'ML-DSA-65'] as const

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
