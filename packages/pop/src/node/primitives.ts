import {
  constants,
  createHmac,
  createPublicKey,
  hash,
  type KeyObject,
  randomFillSync,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto'
import type { CertificateFacts, PresentedCertificate } from '../foundation/certificate-facts.ts'
import { isKeyFor, type PublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { decodeBase64, factsOf } from './certificates/read.ts'

/** What the core needs from the platform, by `node:crypto`: everything answers at once. */
export const nodePrimitives: Primitives = {
  sha256: (bytes) => hash('sha256', bytes, 'buffer'),
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  random,
  verify: isSignature,
  readCertificate,
}

const pool = new Uint8Array(4096)
let drawn = pool.length

/** Draws from a pool, since a call of the system's generator costs as much for a page as for a handful of bytes. */
function random(length: number): Uint8Array {
  if (length > 256) return randomFillSync(new Uint8Array(length))
  if (drawn + length > pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const bytes = pool.slice(drawn, drawn + length)
  pool.fill(0, drawn, drawn + length)
  drawn += length
  return bytes
}

/** Length of an ECDSA signature as JOSE writes it: r and s at the size of the curve. RFC 7518 §3.4. */
const exactLengths: Partial<Record<SignatureAlgorithm, number>> = { ES256: 64, ES384: 96, ES512: 132 }

/** Node's names of the hashes; the other algorithms hash by themselves. */
const hashes: Partial<Record<SignatureAlgorithm, string>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  PS256: 'sha256',
  RS256: 'sha256',
}

function isSignature(algorithm: SignatureAlgorithm, jwk: PublicJwk, data: Uint8Array, signature: Uint8Array): boolean {
  if (!isKeyFor(algorithm, jwk)) return false
  const length = exactLengths[algorithm]
  if (length !== undefined && signature.length !== length) return false
  try {
    return verify(hashes[algorithm] ?? null, data, { key: keyOf(jwk), ...optionsOf(algorithm) }, signature)
  } catch {
    return false
  }
}

function optionsOf(algorithm: SignatureAlgorithm): Omit<VerifyKeyObjectInput, 'key'> {
  if (algorithm in exactLengths) return { dsaEncoding: 'ieee-p1363' }
  return algorithm === 'PS256' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {}
}

/** Lives as long as the JWK that it was made of, so it is bounded by whoever keeps the keys. */
const keys = new WeakMap<PublicJwk, KeyObject>()

function keyOf(jwk: PublicJwk): KeyObject {
  const known = keys.get(jwk)
  if (known) return known
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  keys.set(jwk, key)
  return key
}

const facts = new WeakMap<PresentedCertificate, CertificateFacts>()

function readCertificate(presented: PresentedCertificate): CertificateFacts {
  const known = facts.get(presented)
  if (known) return known
  const read = factsOf(decodeBase64(presented.chain[0] ?? ''))
  facts.set(presented, read)
  return read
}
