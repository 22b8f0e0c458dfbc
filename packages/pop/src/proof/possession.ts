declare const proven: unique symbol

/**
 * Evidence that this request proved a key. Only the verifiers in this folder make one.
 * `member` is the confirmation method that fits it, `thumbprint` the value. RFC 7800 §3.1.
 */
export type Possession = CertificatePossession | DpopPossession

/** The key of a client certificate, proven in the TLS handshake of this connection. RFC 8705 §3. */
export interface CertificatePossession {
  readonly [proven]: true
  readonly member: 'x5t#S256'
  readonly thumbprint: string
  /** What a refresh token of a public client is bound to: stays when the certificate is renewed with its key. */
  readonly publicKeyThumbprint: string
}

/** The key of a DPoP proof that came with this request. RFC 9449 §4. */
export interface DpopPossession {
  readonly [proven]: true
  readonly member: 'jkt'
  readonly thumbprint: string
}

/** The one place that vouches. */
export function vouch<Kind extends Possession>(evidence: Omit<Kind, typeof proven>): Kind {
  return evidence as Kind
}
