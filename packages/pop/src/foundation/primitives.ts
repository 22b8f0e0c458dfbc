import type { CertificateFacts, PresentedCertificate } from './certificate-facts.ts'
import type { PublicJwk, SignatureAlgorithm } from './jwk.ts'

/** A value now or a promise of it: Node's crypto answers at once, WebCrypto later. */
export type Awaitable<T> = T | Promise<T>

/** What the core needs from the platform. It travels in contexts; nothing looks for globals. */
export interface Primitives {
  sha256(bytes: Uint8Array): Awaitable<Uint8Array>
  /** HMAC with SHA-256. RFC 2104. */
  hmac(key: Uint8Array, bytes: Uint8Array): Awaitable<Uint8Array>
  /** @returns cryptographically strong bytes */
  random(length: number): Uint8Array
  /** Says whether the signature is the key's. False, never an error, for a key or signature that cannot be used. */
  verify(algorithm: SignatureAlgorithm, key: PublicJwk, data: Uint8Array, signature: Uint8Array): Awaitable<boolean>
  /**
   * Reads the facts of the first certificate of a chain. The same object is read once, however often it is asked.
   * @throws Error when the bytes are no certificate, or not in strict DER
   */
  readCertificate(presented: PresentedCertificate): CertificateFacts
}
