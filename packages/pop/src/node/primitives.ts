import { createHmac, createPublicKey, hash, type KeyObject, randomFillSync } from 'node:crypto'
import type { CertificateFacts, PresentedCertificate } from '../foundation/certificate-facts.ts'
import { isKeyFor, type PublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { decodeBase64, factsOf } from './certificates/read.ts'
import { isSignatureBy } from './signature-algorithm.ts'

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

function isSignature(algorithm: SignatureAlgorithm, jwk: PublicJwk, data: Uint8Array, signature: Uint8Array): boolean {
  if (!isKeyFor(algorithm, jwk)) return false
  try {
    return isSignatureBy(algorithm, keyOf(jwk), data, signature)
  } catch {
    return false
  }
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
