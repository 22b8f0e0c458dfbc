import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parsePublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import { createClientCertificate } from './certificates/make.ts'
import { derOf } from './certificates/read.ts'
import { nodePrimitives } from './primitives.ts'

const data = Buffer.from('what was signed')
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const p256 = ec('P-256')

const cases: readonly (readonly [
  SignatureAlgorithm,
  { publicKey: KeyObject; privateKey: KeyObject },
  string | null,
])[] = [
  ['ES256', p256, 'sha256'],
  ['ES384', ec('P-384'), 'sha384'],
  ['ES512', ec('P-521'), 'sha512'],
  ['PS256', rsa, 'sha256'],
  ['RS256', rsa, 'sha256'],
  ['EdDSA', ed25519, null],
  ['Ed25519', ed25519, null],
  ['ML-DSA-44', generateKeyPairSync('ml-dsa-44'), null],
  ['ML-DSA-65', generateKeyPairSync('ml-dsa-65'), null],
  ['ML-DSA-87', generateKeyPairSync('ml-dsa-87'), null],
]

describe('signatures by node:crypto', () => {
  it.each(cases)(
    'verifies %s, and refuses other data, another key and a changed signature',
    (algorithm, pair, digest) => {
      const key = jwkOf(pair.publicKey)
      const signature = signed(algorithm, pair.privateKey, digest)
      expect(nodePrimitives.verify(algorithm, key, data, signature)).toBe(true)
      expect(nodePrimitives.verify(algorithm, { ...key }, data, signature)).toBe(true)
      expect(nodePrimitives.verify(algorithm, key, Buffer.from('another'), signature)).toBe(false)
      const changed = Buffer.from(signature)
      changed[8] = (changed[8] ?? 0) ^ 1
      expect(nodePrimitives.verify(algorithm, key, data, changed)).toBe(false)
      expect(nodePrimitives.verify(algorithm, key, data, signature.subarray(1))).toBe(false)
      expect(nodePrimitives.verify(algorithm, key, data, Buffer.concat([signature, Buffer.from([0])]))).toBe(false)
      const other = jwkOf(algorithm === 'ES256' ? ec('P-256').publicKey : p256.publicKey)
      expect(nodePrimitives.verify(algorithm, other, data, signature)).toBe(false)
    },
  )

  it('refuses an ECDSA signature in DER', () => {
    const signature = sign('sha256', data, p256.privateKey)
    expect(nodePrimitives.verify('ES256', jwkOf(p256.publicKey), data, signature)).toBe(false)
  })

  it('refuses a PSS signature with another salt length', () => {
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signature = sign('sha256', data, { key: rsa.privateKey, padding, saltLength: 20 })
    expect(nodePrimitives.verify('PS256', jwkOf(rsa.publicKey), data, signature)).toBe(false)
  })

  it('answers false for a point that is not on its curve', () => {
    const key = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } as const
    expect(nodePrimitives.verify('ES256', key, data, Buffer.alloc(64, 1))).toBe(false)
  })
})

describe('other primitives of Node', () => {
  it('hashes and gives random bytes', async () => {
    expect(
      Buffer.from(await nodePrimitives.sha256(Buffer.from('a')))
        .toString('hex')
        .slice(0, 8),
    ).toBe('ca978112')
    expect(nodePrimitives.random(32)).toHaveLength(32)
    expect(nodePrimitives.random(32)).not.toEqual(nodePrimitives.random(32))
  })

  it('reads the certificate of a connection once', async () => {
    const { certificate, thumbprint } = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const presented = { chain: [derOf(certificate).toString('base64')], from: 'tls' } as const
    const facts = nodePrimitives.readCertificate(presented)
    expect(facts.thumbprint).toBe(thumbprint)
    expect(nodePrimitives.readCertificate(presented)).toBe(facts)
  })

  it.each([[[]], [['']], [['AAAA']], [['not base64']]])('throws for a chain of %j', (chain) => {
    expect(() => nodePrimitives.readCertificate({ chain, from: 'tls' })).toThrow()
  })
})

function jwkOf(key: KeyObject) {
  const jwk = parsePublicJwk(key.export({ format: 'jwk' }))
  if (!jwk) throw new Error('no JWK')
  return jwk
}

function signed(algorithm: SignatureAlgorithm, key: KeyObject, digest: string | null): Buffer {
  if (algorithm === 'PS256')
    return sign(digest, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' })
}
