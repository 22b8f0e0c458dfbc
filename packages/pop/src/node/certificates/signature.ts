import { type KeyObject, sign, verify } from 'node:crypto'
import { Null, ObjectIdentifier, Sequence } from 'asn1js'

/** A hash for RSA and ECDSA signatures. SHA-1 can be made, to show that it is refused; nothing here accepts it. */
export type Digest = 'sha1' | 'sha256' | 'sha384' | 'sha512'

interface Algorithm {
  /** Node's name of the key type. */
  readonly key: string
  /** Node's name of the hash; none where the algorithm hashes by itself. */
  readonly digest: Digest | undefined
  readonly oid: string
}

/** The signatures of certificates and revocation lists. RFC 4055, RFC 5758, RFC 8410, RFC 9881. */
const algorithms: readonly Algorithm[] = [
  { key: 'rsa', digest: 'sha256', oid: '1.2.840.113549.1.1.11' },
  { key: 'rsa', digest: 'sha384', oid: '1.2.840.113549.1.1.12' },
  { key: 'rsa', digest: 'sha512', oid: '1.2.840.113549.1.1.13' },
  { key: 'ec', digest: 'sha256', oid: '1.2.840.10045.4.3.2' },
  { key: 'ec', digest: 'sha384', oid: '1.2.840.10045.4.3.3' },
  { key: 'ec', digest: 'sha512', oid: '1.2.840.10045.4.3.4' },
  { key: 'ed25519', digest: undefined, oid: '1.3.101.112' },
  { key: 'ml-dsa-44', digest: undefined, oid: '2.16.840.1.101.3.4.3.17' },
  { key: 'ml-dsa-65', digest: undefined, oid: '2.16.840.1.101.3.4.3.18' },
  { key: 'ml-dsa-87', digest: undefined, oid: '2.16.840.1.101.3.4.3.19' },
]

const makeOnly: readonly Algorithm[] = [
  { key: 'rsa', digest: 'sha1', oid: '1.2.840.113549.1.1.5' },
  { key: 'ec', digest: 'sha1', oid: '1.2.840.10045.4.1' },
]

/** Says whether signatures by this algorithm are accepted on certificates: not SHA-1, not MD5. */
export function isAcceptableSignature(oid: string): boolean {
  return algorithms.some((algorithm) => algorithm.oid === oid)
}

/** Says whether a key made a signature by the algorithm that an OID names. */
export function isSignedBy(oid: string, key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = algorithms.find((known) => known.oid === oid)
  if (!algorithm || algorithm.key !== key.asymmetricKeyType) return false
  try {
    return verify(algorithm.digest, data, key, signature)
  } catch {
    return false
  }
}

/** Signs structures with one private key: the AlgorithmIdentifier to write into them, and the act. */
export function signerOf(
  key: KeyObject,
  digest: Digest = 'sha256',
): { readonly identifier: Sequence; readonly sign: (bytes: Uint8Array) => Buffer } {
  const algorithm = [...algorithms, ...makeOnly].find(
    (known) => known.key === key.asymmetricKeyType && (known.digest === undefined || known.digest === digest),
  )
  if (!algorithm) throw new TypeError(`A key of type ${key.asymmetricKeyType} cannot sign certificates.`)
  const value = [new ObjectIdentifier({ value: algorithm.oid }), ...(algorithm.key === 'rsa' ? [new Null()] : [])]
  return { identifier: new Sequence({ value }), sign: (bytes) => sign(algorithm.digest, bytes, key) }
}
