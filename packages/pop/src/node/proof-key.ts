import { createPublicKey, type KeyObject } from 'node:crypto'
import { isKeyFor, parsePublicJwk } from '../foundation/jwk.ts'
import type { ProofAlgorithm, ProofKey } from '../proof/dpop.ts'
import { generateKeyFor, signBy } from './signature-algorithm.ts'

/**
 * Makes a private key of Node one that signs proofs.
 * @throws TypeError when the algorithm takes no such key
 */
export function proofKeyOf(key: KeyObject, alg: ProofAlgorithm): ProofKey {
  const jwk = parsePublicJwk(createPublicKey(key).export({ format: 'jwk' }))
  if (!jwk || !isKeyFor(alg, jwk)) throw new TypeError(`The key cannot sign by ${alg}.`)
  return { alg, jwk, sign: (data) => signBy(alg, key, data) }
}

/** Makes a key that signs proofs, for as long as this process holds it. */
export async function createProofKey(alg: ProofAlgorithm = 'ES256'): Promise<ProofKey> {
  return proofKeyOf(await generateProofKey(alg), alg)
}

/** Makes a private key of Node for proofs, to be kept: {@link proofKeyOf} makes it sign. */
export function generateProofKey(alg: ProofAlgorithm): Promise<KeyObject> {
  return generateKeyFor(alg)
}
