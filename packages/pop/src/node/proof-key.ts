import { constants, createPublicKey, generateKeyPair, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { isKeyFor, parsePublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import type { ProofKey } from '../proof/dpop.ts'

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

const generate = promisify(generateKeyPair)

/** Makes a private key of Node for proofs, to be kept: {@link proofKeyOf} makes it sign. */
export async function generateProofKey(alg: SignatureAlgorithm): Promise<KeyObject> {
  const { privateKey } = await generatePair(alg)
  return privateKey
}

function generatePair(alg: SignatureAlgorithm): Promise<{ readonly privateKey: KeyObject }> {
  switch (alg) {
    case 'ES256':
      return generate('ec', { namedCurve: 'P-256' })
    case 'ES384':
      return generate('ec', { namedCurve: 'P-384' })
    case 'ES512':
      return generate('ec', { namedCurve: 'P-521' })
    case 'PS256':
    case 'RS256':
      return generate('rsa', { modulusLength: 2048 })
    case 'EdDSA':
    case 'Ed25519':
      return generate('ed25519')
    case 'ML-DSA-44':
      return generate('ml-dsa-44')
    case 'ML-DSA-65':
      return generate('ml-dsa-65')
    case 'ML-DSA-87':
      return generate('ml-dsa-87')
  }
}
