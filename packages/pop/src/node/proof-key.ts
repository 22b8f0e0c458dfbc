import { constants, createPublicKey, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto'
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
