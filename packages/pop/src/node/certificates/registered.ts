import { isJsonObject, type JsonObject } from '../../foundation/json.ts'
import { isPrivateJwk } from '../../foundation/jwk.ts'
import { decodeBase64, thumbprintOf, x509Of } from './read.ts'

/** The members that are a key, of every kind. */
const keyMembers = ['crv', 'x', 'y', 'n', 'e', 'pub'] as const

/**
 * The certificate that a client registered in a JWK for `self_signed_tls_client_auth`: the first of `x5c`, as DER.
 * What else the JWK says of the key must agree with it. RFC 8705 §2.2 (8705-2.2.b), RFC 7517 §4.7.
 * @returns undefined when there is none, it is unreadable, a member disagrees, or the private key stands beside it
 */
export function registeredCertificate(jwk: unknown): Buffer | undefined {
  if (!isJsonObject(jwk) || isPrivateJwk(jwk) || !Array.isArray(jwk.x5c)) return undefined
  const first: unknown = jwk.x5c[0]
  if (typeof first !== 'string') return undefined
  try {
    const der = decodeBase64(first)
    const key: JsonObject = { ...x509Of(der).publicKey.export({ format: 'jwk' }) }
    const agrees = (member: string, value: unknown) => !Object.hasOwn(jwk, member) || jwk[member] === value
    if (jwk.kty !== key.kty || !keyMembers.every((member) => agrees(member, key[member]))) return undefined
    if (key.kty === 'AKP' && !agrees('alg', key.alg)) return undefined
    return agrees('x5t#S256', thumbprintOf(der)) ? der : undefined
  } catch {
    return undefined
  }
}

/** Says whether two certificates are the same, to the byte. */
export function sameCertificate(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
