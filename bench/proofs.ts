import { createPrivateKey, hash, randomBytes } from 'node:crypto'
import { createDpopProof, type ProofKey } from '@holdfast/pop'
import { proofKeyOf } from '@holdfast/pop/client/node'

/** The request that all the proofs of a round are for. */
export interface Proven {
  readonly method: string
  readonly url: string
  readonly accessToken?: string | undefined
}

/** The key of the proofs. @param pem a private key on P-256 */
export function readProofKey(pem: string): ProofKey {
  return proofKeyOf(createPrivateKey(pem), 'ES256')
}

/** Makes proofs, no two alike. They pass for a minute: the round comes at once. RFC 9449 §4.2. */
export async function createProofs(count: number, key: ProofKey, request: Proven): Promise<string[]> {
  const proofs: string[] = []
  while (proofs.length < count) proofs.push(await createDpopProof(key, request, platform))
  return proofs
}

const platform = {
  now: () => Math.floor(Date.now() / 1000),
  random: (length: number) => randomBytes(length),
  sha256: (bytes: Uint8Array) => hash('sha256', bytes, 'buffer'),
}
