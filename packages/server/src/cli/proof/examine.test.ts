import { stripVTControlCharacters } from 'node:util'
import { createDpopContext, type JsonObject, parseJwt, proofAlgorithms, Refused, verifyDpopProof } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { createTestProofKey, type ProofOverrides, signJwt, signProof, testNow } from '@holdfast/pop/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Terminal } from '../terminal.ts'
import { type ExaminedProof, examineProof, isProof } from './examine.ts'
import { renderProof } from './render.ts'

const key = createTestProofKey()
const other = createTestProofKey()
const method = 'GET'
const url = 'https://api.example.com/orders'
const token = signJwt({ typ: 'at+jwt', alg: 'ES256' }, { cnf: { jkt: key.thumbprint } }, other.key)
const request = { method, url, token }

const proof = (overrides: ProofOverrides = {}, now = testNow) =>
  signProof(key, { method, url, accessToken: token, now }, overrides)

async function examine(text: string, given: Partial<ExaminedProof> = request) {
  const jwt = parseJwt(text)
  if (!jwt) throw new Error('no JWT')
  return await examineProof({ text, jwt, now: testNow, ...given })
}

/** What a server says of the same proof. */
async function reasonOf(text: string): Promise<string | undefined> {
  const policy = { algorithms: proofAlgorithms, nonces: 'off' } as const
  const context = createDpopContext(new Uint8Array(32), { now: () => testNow, primitives: nodePrimitives })
  try {
    await verifyDpopProof([text], { method, url, accessToken: token }, policy, context)
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}

describe('RFC 9449 §4.3 explaining a proof', () => {
  it('passes every check of a proof that is right', async () => {
    const { checks, thumbprint, refused } = await examine(proof())
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
      ['typ', true],
      ['alg', true],
      ['jwk', true],
      ['signature', true],
      ['jti', true],
      ['htm', true],
      ['htu', true],
      ['nonce', undefined],
      ['iat', true],
      ['ath', true],
      ['cnf.jkt', true],
    ])
    expect({ thumbprint, refused }).toEqual({ thumbprint: key.thumbprint, refused: undefined })
  })

  it.each<[string, string, ProofOverrides]>([
    ['typ', 'is another', { header: { typ: 'JWT' } }],
    ['typ', 'is missing', { header: { typ: undefined } }],
    ['alg', 'is none', { header: { alg: 'none' }, signature: '' }],
    ['alg', 'is RS256', { header: { alg: 'RS256' } }],
    ['alg', 'has something critical beside it', { header: { crit: ['b64'], b64: false } }],
    ['jwk', 'is missing', { header: { jwk: undefined } }],
    ['jwk', 'is private', { header: { jwk: key.key.export({ format: 'jwk' }) } }],
    ['jwk', 'is not whole', { header: { jwk: { ...key.jwk, x: 'AA' } } }],
    ['jwk', 'is for another algorithm', { header: { jwk: createTestProofKey('Ed25519').jwk } }],
    ['jwk', 'names another algorithm', { header: { jwk: { ...key.jwk, alg: 'ES384' } } }],
    ['signature', 'is by another key', { key: other.key }],
    ['signature', 'is none', { signature: '' }],
    ['jti', 'is missing', { claims: { jti: undefined } }],
    ['jti', 'is empty', { claims: { jti: '' } }],
    ['jti', 'is too long', { claims: { jti: 'j'.repeat(257) } }],
    ['htm', 'is missing', { claims: { htm: undefined } }],
    ['htm', 'is another', { claims: { htm: 'POST' } }],
    ['htm', 'has other letters', { claims: { htm: 'get' } }],
    ['htu', 'is no text', { claims: { htu: 7 } }],
    ['htu', 'is another', { claims: { htu: 'https://api.example.com/orders/1' } }],
    ['htu', 'is no address', { claims: { htu: '/orders' } }],
    ['iat', 'is missing', { claims: { iat: undefined } }],
    ['iat', 'is a text', { claims: { iat: String(testNow) } }],
    ['iat', 'is too old', { claims: { iat: testNow - 61 } }],
    ['iat', 'is too far ahead', { claims: { iat: testNow + 11 } }],
    ['iat', 'is ended by exp', { claims: { exp: testNow } }],
    ['iat', 'has an exp that is a text', { claims: { exp: 'never' } }],
    ['iat', 'has an nbf ahead', { claims: { nbf: testNow + 11 } }],
    ['ath', 'is missing', { claims: { ath: undefined } }],
    ['ath', 'is of another token', { claims: { ath: 'x'.repeat(43) } }],
  ])('fails %s alone when it %s, for the reason of a server', async (name, _, overrides) => {
    const text = proof(overrides)
    const { checks, refused } = await examine(text)
    const failed = checks.filter(({ passed, reason }) => passed === false && reason === refused)
    const reason = await reasonOf(text)
    expect(reason).toBeDefined()
    expect({ refused, failed: failed.map((each) => each.name) }).toEqual({ refused: reason, failed: [name] })
  })

  it('refuses what a server refuses, whatever stands in a header or a claim', async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(undefined, method, url, testNow, 'dpop+jwt', 'ES256', key.jwk),
    )
    const header = fc.record({ typ: value, jwk: value, crit: value }, { requiredKeys: [] })
    const claims = fc.record(
      { jti: value, htm: value, htu: value, iat: value, exp: value, nbf: value, nonce: value, ath: value },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(header, claims, async (header, claims) => {
        const text = proof({ header: header as JsonObject, claims: claims as JsonObject })
        const { checks, refused } = await examine(text)
        const reason = await reasonOf(text)
        expect(refused).toBe(reason)
        expect(checks.some(({ passed }) => passed === false)).toBe(reason !== undefined)
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['60 s old', testNow - 60],
    ['10 s ahead', testNow + 10],
  ])('passes a proof that is %s', async (_, now) => {
    expect((await examine(proof({}, now))).refused).toBeUndefined()
  })

  it.each(proofAlgorithms)('knows the key of %s', async (alg) => {
    const another = createTestProofKey(alg)
    const { checks, thumbprint, refused } = await examine(signProof(another, { method, url }), { method, url })
    expect({ thumbprint, refused }).toEqual({ thumbprint: another.thumbprint, refused: undefined })
    expect(checks.find(({ name }) => name === 'jwk')?.says).toContain(another.thumbprint)
  })

  it.each([
    ['ES256', 'ES256'],
    ['ES384', 'ES384, where the server'],
  ] as const)('says of %s whether servers take it by default', async (alg, says) => {
    const { checks } = await examine(signProof(createTestProofKey(alg), { method, url }), { method, url })
    expect(checks.find(({ name }) => name === 'alg')?.says).toMatch(new RegExp(`^${says}${alg === 'ES256' ? '$' : ''}`))
  })

  it('compares nothing with a request of which nothing was said', async () => {
    const { checks, refused } = await examine(proof(), {})
    const open = checks.filter(({ passed }) => passed === undefined).map(({ name }) => name)
    expect({ open, refused }).toEqual({ open: ['htm', 'htu', 'nonce', 'ath'], refused: undefined })
  })

  it.each([
    ['to another key', { jkt: other.thumbprint }, 'confirmation_proof_differs'],
    ['to a certificate', { 'x5t#S256': key.thumbprint }, 'token_is_not_dpop'],
    ['to nothing', undefined, 'token_is_not_dpop'],
  ])('fails a proof whose token is bound %s', async (_, cnf, reason) => {
    const another = signJwt({ typ: 'at+jwt', alg: 'ES256' }, { cnf }, other.key)
    const text = signProof(key, { method, url, accessToken: another })
    expect((await examine(text, { method, url, token: another })).refused).toBe(reason)
  })

  it('says of a reference token that it does not tell', async () => {
    const text = signProof(key, { method, url, accessToken: 'handle' })
    const { checks, refused } = await examine(text, { method, url, token: 'handle' })
    expect([refused, checks.at(-1)]).toMatchObject([undefined, { name: 'cnf.jkt' }])
  })

  it.each([
    ['a proof', { typ: 'dpop+jwt' }, {}, true],
    ['a proof of another typ', { jwk: {} }, { htm: 'GET', htu: url }, true],
    ['an access token', { typ: 'at+jwt' }, { cnf: {} }, false],
  ])('takes %s for what it is', (_, header, claims, is) => {
    const jwt = parseJwt(signJwt({ alg: 'ES256', ...header }, claims, key.key))
    expect(jwt && isProof(jwt)).toBe(is)
  })
})

describe('showing what was found out about a proof', () => {
  const terminal = (columns: number): Terminal => {
    const plain = (text: string) => text
    const style = { good: plain, bad: plain, dim: plain, strong: plain }
    return { columns, out: () => undefined, note: () => undefined, input: async () => '', style }
  }

  it.each([44, 60, 80, 120])('fits %i columns, but for words that are longer', async (columns) => {
    const lines = renderProof(await examine(proof({ claims: { htm: 'POST' } })), terminal(columns)).split('\n')
    const tooWide = lines.filter((line) => line.length > columns && line.trim().includes(' ', 20))
    expect(tooWide).toEqual([])
  })

  it('says what a server would say, and when nothing but the age is wrong', async () => {
    const stale = renderProof(await examine(proof({}, testNow - 90)), terminal(80))
    expect(stale).toMatch(
      /refuses it: invalid_dpop_proof\. The DPoP proof is too old[\s\S]*dpop_stale[\s\S]*But for its age/,
    )
    const both = renderProof(await examine(proof({ claims: { htm: 'POST' } }, testNow - 90)), terminal(80))
    expect(both).not.toContain('But for its age')
    expect(renderProof(await examine(proof()), terminal(80))).toContain('takes it, once.')
  })

  it('lets nothing that stands in a proof move the cursor', async () => {
    const evil = proof({ claims: { htm: '\u001b[2J\u001b[1mGET', jti: 'a\rb' } })
    const shown = renderProof(await examine(evil), terminal(80))
    expect(shown).toBe(stripVTControlCharacters(shown))
    for (const control of ['\r', '\u001b']) expect(shown).not.toContain(control)
  })
})
