import { describe, expect, it } from 'vitest'
import { createTestProofKey } from '../testing/proofs.ts'
import { isKeyFor, isPrivateJwk, parsePublicJwk, signatureAlgorithms } from './jwk.ts'

const ec = createTestProofKey('ES256').jwk
const okp = createTestProofKey('Ed25519').jwk

describe('RFC 7517 keys that somebody else wrote', () => {
  it.each(signatureAlgorithms)('a key for %s is copied as it is, without what describes it', (alg) => {
    const { jwk } = createTestProofKey(alg === 'RS256' ? 'PS256' : alg)
    expect(parsePublicJwk({ ...jwk, kid: '1', use: 'sig', key_ops: ['verify'], x5c: [], x5u: 'a', ext: true })).toEqual(
      jwk,
    )
  })

  it.each(signatureAlgorithms)('a key for %s is one for no algorithm of another kind', (alg) => {
    const { jwk } = createTestProofKey(alg === 'RS256' ? 'PS256' : alg)
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
