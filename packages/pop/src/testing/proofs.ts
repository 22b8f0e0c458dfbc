import { hash, type KeyObject, randomBytes } from 'node:crypto'
import { encodeBase64url } from '../foundation/base64url.ts'
import type { Seconds } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import { thumbprintInput } from '../foundation/jwk-thumbprint.ts'
import { proofKeyOf } from '../node/proof-key.ts'
import type { ProofAlgorithm, ProofKey } from '../proof/dpop.ts'
import { generateTestKey, signJwt, testNow } from './issuer.ts'

/** A key for tests that signs proofs, in all its forms. */
export interface TestProofKey extends ProofKey {
  /** The private key. */
  readonly key: KeyObject
  /** What `cnf.jkt` says of it. */
  readonly thumbprint: string
}

/** Makes a key that signs proofs. */
export function createTestProofKey(alg: ProofAlgorithm = 'ES256'): TestProofKey {
  const key = generateTestKey(alg)
  const proofKey = proofKeyOf(key, alg)
  return { ...proofKey, key, thumbprint: hash('sha256', thumbprintInput(proofKey.jwk), 'base64url') }
}

/** The request that a proof is for, and when it was made. */
export interface TestProofRequest {
  readonly method: string
  readonly url: string
  readonly accessToken?: string
  readonly nonce?: string
  /** {@link testNow} when left out. */
  readonly now?: Seconds
}

/** What shall be different about one proof. A claim or header that is `undefined` is left out. */
export interface ProofOverrides {
  readonly header?: JsonObject
  readonly claims?: JsonObject
  /** Sign with another key than the header's. */
  readonly key?: KeyObject
  /** Put this in the place of the signature. */
  readonly signature?: string
}

/** Signs a proof that is right unless one thing is asked to be wrong. RFC 9449 §4.2. */
export function signProof(
  { alg, jwk, key }: TestProofKey,
  { method, url, accessToken, nonce, now = testNow }: TestProofRequest,
  overrides: ProofOverrides = {},
): string {
  const claims = {
    jti: encodeBase64url(randomBytes(16)),
    htm: method,
    htu: url,
    iat: now,
    ...(accessToken !== undefined && { ath: hash('sha256', accessToken, 'base64url') }),
    ...(nonce !== undefined && { nonce }),
    ...overrides.claims,
  }
  return signJwt({ typ: 'dpop+jwt', alg, jwk, ...overrides.header }, claims, overrides.key ?? key, overrides.signature)
}
