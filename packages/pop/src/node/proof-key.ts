import { constants, createPublicKey, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto'
import { isKeyFor, parsePublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import type { ProofKey } from '../proof/dpop.ts'
import { generatePrivateKey, type KeyType } from './certificates/key-type.ts'

/** Node's names of the hashes; the other algorithms hash by themselves. */
const hashes: Partial<Record<SignatureAlgorithm, string>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  PS256: 'sha256',
  RS256: 'sha256',
}

const options: Partial<Record<SignatureAlgorithm, Omit<SignKeyObjectInput, 'key'>>> = {
  ES256: { dsaEncoding: 'ieee-p1363' },
  ES384: { dsaEncoding: 'ieee-p1363' },
  ES512: { dsaEncoding: 'ieee-p1363' },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
}

/**
 * Makes a private key of Node one that signs proofs.
 * @throws TypeError when the algorithm takes no such key
 */
export function proofKeyOf(key: KeyObject, alg: SignatureAlgorithm): ProofKey {
  const jwk = parsePublicJwk(createPublicKey(key).export({ format: 'jwk' }))
  if (!jwk || !isKeyFor(alg, jwk)) throw new TypeError(`The key cannot sign by ${alg}.`)
  return { alg, jwk, sign: (data) => sign(hashes[alg] ?? null, data, { key, ...options[alg] }) }
}

/** Makes a key that signs proofs, for as long as this process holds it. */
export async function createProofKey(alg: SignatureAlgorithm = 'ES256'): Promise<ProofKey> {
  return proofKeyOf(await generateProofKey(alg), alg)
}

/** Makes a private key of Node for proofs, to be kept: {@link proofKeyOf} makes it sign. */
export function generateProofKey(alg: SignatureAlgorithm): Promise<KeyObject> {
  return generatePrivateKey(keyTypeOf[alg])
}

const keyTypeOf: Readonly<Record<SignatureAlgorithm, KeyType>> = {
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
