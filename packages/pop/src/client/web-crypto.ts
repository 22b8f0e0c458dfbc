import type { JsonObject } from '../foundation/json.ts'
import type { PublicJwk, SignatureAlgorithm } from '../foundation/jwk.ts'
import { ClientError } from './client-error.ts'

/** A private key: of WebCrypto, of Node (`KeyObject`), or as a JWK. */
export type SigningKey = CryptoKey | ConvertibleKey | (JsonObject & { readonly kty?: unknown })

/** What Node's keys can do. */
interface ConvertibleKey {
  toCryptoKey(algorithm: { readonly name: string }, extractable: boolean, usages: 'sign'[]): CryptoKey
}

/** An algorithm as WebCrypto names it: when a key is made or read, and when it is used. */
interface WebAlgorithm {
  readonly key: Algorithm & { readonly namedCurve?: string; readonly hash?: string }
  readonly use: Algorithm & { readonly hash?: string; readonly saltLength?: number }
}

const ecdsa = (namedCurve: string, hash: string): WebAlgorithm => ({
  key: { name: 'ECDSA', namedCurve },
  use: { name: 'ECDSA', hash },
})
const rsa = (name: string): WebAlgorithm => ({ key: { name, hash: 'SHA-256' }, use: { name, saltLength: 32 } })
const plain = (name: string): WebAlgorithm => ({ key: { name }, use: { name } })

const algorithms: Readonly<Record<SignatureAlgorithm, WebAlgorithm>> = {
  ES256: ecdsa('P-256', 'SHA-256'),
  ES384: ecdsa('P-384', 'SHA-384'),
  ES512: ecdsa('P-521', 'SHA-512'),
  PS256: rsa('RSA-PSS'),
  RS256: rsa('RSASSA-PKCS1-v1_5'),
  EdDSA: plain('Ed25519'),
  Ed25519: plain('Ed25519'),
  'ML-DSA-44': plain('ML-DSA-44'),
  'ML-DSA-65': plain('ML-DSA-65'),
  'ML-DSA-87': plain('ML-DSA-87'),
}

/** Makes a key pair whose private half cannot be exported. @throws {@link ClientError} `algorithm_unsupported` */
export function generateKeyPair(alg: Exclude<SignatureAlgorithm, 'PS256' | 'RS256'>): Promise<CryptoKeyPair> {
  return supported(alg, async () => {
    const made = await crypto.subtle.generateKey(algorithms[alg].key, false, ['sign', 'verify'])
    return made as CryptoKeyPair
  })
}

/** Signs. @throws {@link ClientError} `algorithm_unsupported` */
export function signBytes(
  alg: SignatureAlgorithm,
  key: SigningKey,
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return supported(alg, async () => {
    const imported = await importPrivate(alg, key)
    return new Uint8Array(await crypto.subtle.sign(algorithms[alg].use, imported, data))
  })
}

/**
 * Says whether the signature is the key's. False for a key or signature that cannot be used.
 * @throws {@link ClientError} `algorithm_unsupported`
 */
export function isSignature(
  alg: SignatureAlgorithm,
  jwk: PublicJwk,
  data: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  return supported(alg, async () => {
    try {
      const key = await crypto.subtle.importKey('jwk', { ...jwk }, algorithms[alg].key, false, ['verify'])
      return await crypto.subtle.verify(algorithms[alg].use, key, signature, data)
    } catch (cause) {
      if (isUnsupported(cause)) throw cause
      return false
    }
  })
}

async function importPrivate(alg: SignatureAlgorithm, key: SigningKey): Promise<CryptoKey> {
  if (key instanceof CryptoKey) return key
  if (isConvertible(key)) return key.toCryptoKey(algorithms[alg].key, false, ['sign'])
  // What the JWK says of its use is for others: the caller names the algorithm.
  const { use: _, key_ops: __, alg: own, ...jwk } = key
  // as: whatever is wrong with it, WebCrypto says so.
  const named = (jwk.kty === 'AKP' ? { ...jwk, alg: own } : jwk) as JsonWebKey
  return await crypto.subtle.importKey('jwk', named, algorithms[alg].key, false, ['sign'])
}

function isConvertible(key: ConvertibleKey | JsonObject): key is ConvertibleKey {
  return typeof key.toCryptoKey === 'function'
}

async function supported<T>(alg: SignatureAlgorithm, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isUnsupported(cause)) throw new ClientError('algorithm_unsupported', { detail: alg, cause })
    throw cause
  }
}

function isUnsupported(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === 'NotSupportedError'
}
