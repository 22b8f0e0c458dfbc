import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createTestProofKey } from '../testing/proofs.ts'
import { isKeyFor, isPrivateJwk, parsePublicJwk, signatureAlgorithms, thumbprintInput } from './jwk.ts'

const ec = createTestProofKey('ES256').jwk
const okp = createTestProofKey('Ed25519').jwk

describe('RFC 7517 keys that somebody else wrote', () => {
  it.each(signatureAlgorithms)('a key for %s is copied as it is, without what describes it', (alg) => {
    const { jwk } = createTestProofKey(alg)
    expect(parsePublicJwk({ ...jwk, kid: '1', use: 'sig', key_ops: ['verify'], x5c: [], x5u: 'a', ext: true })).toEqual(
      jwk,
    )
  })

  it.each(signatureAlgorithms)('a key for %s is one for no algorithm of another kind', (alg) => {
    const { jwk } = createTestProofKey(alg)
    const same = [
      ['PS256', 'RS256'],
      ['EdDSA', 'Ed25519'],
    ].find((pair) => pair.includes(alg)) ?? [alg]
    expect(signatureAlgorithms.filter((other) => isKeyFor(other, jwk)).sort()).toEqual([...same].sort())
  })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'])('a key with %s is private', (member) => {
    expect(isPrivateJwk({ ...ec, [member]: undefined })).toBe(true)
    expect(parsePublicJwk({ ...ec, [member]: '' })).toBeUndefined()
  })

  it.each([undefined, null, 1, 'key', [ec], {}, { keys: [ec] }])('%j is no key', (value) => {
    expect(parsePublicJwk(value)).toBeUndefined()
  })

  it('T90: points of Ed25519 for which everybody can sign are no keys', () => {
    const p = 2n ** 255n - 19n
    const eighth = 2707385501144840649318225287225658788936804267575313519463743609750303402022n
    for (const y of [0n, 1n, p - 1n, p, p + 1n, eighth, p - eighth]) {
      for (const sign of [0n, 2n ** 255n]) {
        const x = Buffer.from((y + sign).toString(16).padStart(64, '0'), 'hex')
          .reverse()
          .toString('base64url')
        expect(parsePublicJwk({ ...okp, x })).toBeUndefined()
      }
    }
    expect(parsePublicJwk({ ...okp, x: Buffer.from([2, ...Buffer.alloc(31)]).toString('base64url') })).toBeDefined()
  })
})

describe('RFC 7638 thumbprints', () => {
  const thumbprint = (key: unknown): string => {
    const parsed = parsePublicJwk(key)
    return parsed ? createHash('sha256').update(thumbprintInput(parsed)).digest('base64url') : ''
  }

  it('[RFC7638-3.1] the example', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    expect(thumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' })).toBe(
      'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
    )
  })

  it('[RFC8037-A.3] the example', () => {
    expect(thumbprint({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })).toBe(
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    )
  })

  it('[RFC9449-6.1] the example', () => {
    const x = 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs'
    const y = '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA'
    expect(thumbprint({ crv: 'P-256', y, x, kty: 'EC' })).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
  })

  it('RFC 9964: of an ML-DSA key, alg is a part', () => {
    const { jwk } = createTestProofKey('ML-DSA-44')
    const { alg, kty, pub } = jwk as { readonly alg: string; readonly kty: string; readonly pub: string }
    expect(thumbprintInput(jwk)).toBe(JSON.stringify({ alg, kty, pub }))
  })
})
