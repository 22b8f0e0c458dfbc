import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { isSignatureAlgorithm, parseJsonObject, type SignatureAlgorithm } from '@holdfast/pop'
import { Failure } from './exit.ts'
import { readTextFile } from './input-file.ts'

/** A private key that lies in a file, and what the file says of it. */
export interface FiledKey {
  readonly key: KeyObject
  /** Named by the JWK, or the usual one of such a key. */
  readonly alg: SignatureAlgorithm
  readonly kid?: string
}

/** Reads a private key, PEM or JWK, that the command line named. */
export async function readPrivateKey(file: string): Promise<FiledKey> {
  const text = await readTextFile(file)
  const written = parseJsonObject(text)
  const { alg: named, kid } = written ?? {}
  try {
    const key = createPrivateKey(written ? { key: { ...written }, format: 'jwk' } : text)
    const alg = isSignatureAlgorithm(named) ? named : algorithmFor(createPublicKey(key).export({ format: 'jwk' }))
    return { key, alg, ...(typeof kid === 'string' && { kid }) }
  } catch (cause) {
    throw new Failure(66, `${file} holds no private key that can be used: write PEM (PKCS #8) or a JWK.`, cause)
  }
}

/** A key of ML-DSA names its algorithm itself. RFC 9964 §3. */
function algorithmFor({ crv, alg }: { readonly crv?: string; readonly alg?: string }): SignatureAlgorithm {
  if (isSignatureAlgorithm(alg)) return alg
  const byCurve: Readonly<Record<string, SignatureAlgorithm>> = {
    'P-256': 'ES256',
    'P-384': 'ES384',
    'P-521': 'ES512',
    Ed25519: 'EdDSA',
  }
  return byCurve[crv ?? ''] ?? 'PS256'
}
