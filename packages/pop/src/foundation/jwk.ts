import { decodeBase64url } from './base64url.ts'
import { isJsonObject, type JsonObject, ownMembers } from './json.ts'

/** A public key as RFC 7517 writes it, reduced to the members that are the key. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384' | 'P-521'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: 'AQAB' }
  | { readonly kty: 'AKP'; readonly alg: 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87'; readonly pub: string }

/** The signature algorithms that this product knows, by their JOSE names. RFC 7518, RFC 8037, RFC 9864, RFC 9964. */
export type SignatureAlgorithm =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'PS256'
  | 'RS256'
  | 'EdDSA'
  | 'Ed25519'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'

const keyOf: Readonly<Record<SignatureAlgorithm, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  PS256: 'RSA',
  RS256: 'RSA',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
  'ML-DSA-44': 'ML-DSA-44',
  'ML-DSA-65': 'ML-DSA-65',
  'ML-DSA-87': 'ML-DSA-87',
}

/** All of them. */
export const signatureAlgorithms = Object.keys(keyOf) as readonly SignatureAlgorithm[]

/** Says whether a value names an algorithm that this product knows. */
export function isSignatureAlgorithm(value: unknown): value is SignatureAlgorithm {
  return typeof value === 'string' && Object.hasOwn(keyOf, value)
}

/** Says whether a key is of the one kind that an algorithm takes. RFC 8725 §3.1. */
export function isKeyFor(algorithm: SignatureAlgorithm, key: PublicJwk): boolean {
  const kind = key.kty === 'RSA' ? 'RSA' : key.kty === 'AKP' ? key.alg : key.crv
  return keyOf[algorithm] === kind
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** Says whether a JWK gives away its private half: such a key is nobody's any more. */
export function isPrivateJwk(jwk: JsonObject): boolean {
  return privateMembers.some((member) => Object.hasOwn(jwk, member))
}

/**
 * Copies a public key out of a JWK that somebody else wrote: known kinds, canonical encodings, RSA of 2048 to
 * 4096 bit with e = 65537, no point of Ed25519 for which everybody can sign. Whether a point lies on its curve is found
 * at import.
 * @returns undefined for everything else, a private key among it
 */
export function parsePublicJwk(value: unknown): PublicJwk | undefined {
  if (!isJsonObject(value) || isPrivateJwk(value)) return undefined
  if (Object.hasOwn(value, 'use') && value.use !== 'sig') return undefined
  const { kty, crv, x, y, n, e, pub, alg } = ownMembers(value)
  switch (kty) {
    case 'EC': {
      const size = crv === 'P-256' ? 32 : crv === 'P-384' ? 48 : crv === 'P-521' ? 66 : 0
      if (size === 0 || !isBytes(x, size) || !isBytes(y, size)) return undefined
      return { kty, crv: crv as 'P-256', x, y }
    }
    case 'OKP':
      return crv === 'Ed25519' && isBytes(x, 32) && !smallOrderPoints.has(x) ? { kty, crv, x } : undefined
    case 'RSA': {
      if (e !== 'AQAB' || typeof n !== 'string') return undefined
      const bytes = decodeBase64url(n)
      if (!bytes || bytes.length < 256 || bytes.length > 512) return undefined
      const odd = ((bytes[bytes.length - 1] ?? 0) & 1) === 1
      return odd && (bytes[0] ?? 0) >= 0x80 ? { kty, n, e } : undefined
    }
    case 'AKP': {
      const size = alg === 'ML-DSA-44' ? 1312 : alg === 'ML-DSA-65' ? 1952 : alg === 'ML-DSA-87' ? 2592 : 0
      return size > 0 && isBytes(pub, size) ? { kty, alg: alg as 'ML-DSA-44', pub } : undefined
    }
    default:
      return undefined
  }
}

/**
 * All spellings of the points of order 1, 2, 4 and 8, with either sign of x: no secret belongs to them, and whoever wants
 * signs for them. RFC 8032 §5.1.3, RFC 8725 §3.4.
 */
const smallOrderPoints: ReadonlySet<unknown> = new Set([
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA',
  'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA',
  'JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU',
  'JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU',
  'xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o',
  'xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o',
  '7P_______________________________________38',
  '7P________________________________________8',
  '7f_______________________________________38',
  '7f________________________________________8',
  '7v_______________________________________38',
  '7v________________________________________8',
])

function isBytes(value: unknown, length: number): value is string {
  return typeof value === 'string' && decodeBase64url(value)?.length === length
}
