import { constants, type KeyObject, type SignKeyObjectInput, sign, verify } from 'node:crypto'
import type { SignatureAlgorithm } from '../foundation/jwk.ts'
import { generatePrivateKey, type KeyType } from './certificates/key-type.ts'

/** What `node:crypto` is told about an algorithm of JOSE. */
interface Particulars {
  readonly keyType: KeyType
  /** None where the algorithm hashes by itself. */
  readonly digest: string | null
  readonly options?: Omit<SignKeyObjectInput, 'key'>
}

/** r and s at the size of the curve, and nothing else. RFC 7518 §3.4. */
const options = { dsaEncoding: 'ieee-p1363' } as const

/** RFC 7518 §3.3 to §3.5, RFC 8037 §3.1, RFC 9864 §2.2, RFC 9964 §5. */
const particulars: Readonly<Record<SignatureAlgorithm, Particulars>> = {
  ES256: { keyType: 'P-256', digest: 'sha256', options },
  ES384: { keyType: 'P-384', digest: 'sha384', options },
  ES512: { keyType: 'P-521', digest: 'sha512', options },
  PS256: {
    keyType: 'RSA',
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  },
  RS256: { keyType: 'RSA', digest: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
  EdDSA: { keyType: 'Ed25519', digest: null },
  Ed25519: { keyType: 'Ed25519', digest: null },
  'ML-DSA-44': { keyType: 'ML-DSA-44', digest: null },
  'ML-DSA-65': { keyType: 'ML-DSA-65', digest: null },
  'ML-DSA-87': { keyType: 'ML-DSA-87', digest: null },
}

/** Makes a private key for an algorithm, off the main thread. */
export function generateKeyFor(algorithm: SignatureAlgorithm): Promise<KeyObject> {
  return generatePrivateKey(particulars[algorithm].keyType)
}

/** Signs as JOSE writes it. Does not look whether the algorithm takes such a key: `isKeyFor` does. */
export function signBy(algorithm: SignatureAlgorithm, key: KeyObject, data: Uint8Array): Buffer {
  const { digest, options } = particulars[algorithm]
  return sign(digest, data, { key, ...options })
}

/**
 * Says whether the key made the signature, as JOSE writes it. Does not look at the kind of the key either.
 * @throws Error when the key cannot be used so
 */
export function isSignatureBy(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { digest, options } = particulars[algorithm]
  return verify(digest, data, { key, ...options }, signature)
}
