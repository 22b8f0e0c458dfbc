import type { Seconds } from './clock.ts'

/**
 * The certificates that a connection presented, leaf first, each as standard base64 of its DER.
 * One object for the life of a connection, so that what was read from it can be kept beside it.
 */
export interface PresentedCertificate {
  readonly chain: readonly string[]
  /** `tls`: its key was proven in this connection's handshake. `header`: a trusted proxy says so. */
  readonly from: 'tls' | 'header'
  /** The TLS session was resumed: the key was proven when it began, not now. */
  readonly resumed?: true
}

/** What binding needs to know of a certificate. */
export interface CertificateFacts {
  /** Base64url of the SHA-256 over the DER bytes: `x5t#S256`. RFC 8705 §3.1. */
  readonly thumbprint: string
  /** Base64url of the SHA-256 over the SubjectPublicKeyInfo: stays when a certificate is renewed with its key. */
  readonly publicKeyThumbprint: string
  readonly notBefore: Seconds
  readonly notAfter: Seconds
  readonly key: CertificateKey
}

/** A certificate's key, as far as its strength goes. */
export type CertificateKey =
  | { readonly type: 'EC'; readonly curve: string }
  | { readonly type: 'RSA'; readonly bits: number; readonly exponent: bigint }
  | { readonly type: 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87' }
  | { readonly type: 'unknown' }
