import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBoundedCache } from '../foundation/bounded-cache.ts'
import { type SignatureAlgorithm, signatureAlgorithms } from '../foundation/jwk.ts'
import { normalTargetUri } from '../foundation/target-uri.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { generateTestKey, signJwt, testNow } from '../testing/issuer.ts'
import { createTestProofKey, type ProofOverrides, signProof, type TestProofRequest } from '../testing/proofs.ts'
import {
  createDpopProof,
  type DpopPolicy,
  type ProvenRequest,
  proofAhead,
  proofAlgorithms,
  proofLifetime,
  type VerifiedProof,
  verifyDpopProof,
} from './dpop.ts'
import { type DpopContext, type KnownKey, longestKeptHeader } from './dpop-context.ts'
import { createDpopNonces, nonceLifetime } from './dpop-nonce.ts'

const key = createTestProofKey()
const request = { method: 'POST', url: 'https://as.test/token' }
const policy: DpopPolicy = {
  algorithms: ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'],
  nonces: 'off',
}
const nonces = createDpopNonces(new Uint8Array(32).fill(1), nodePrimitives)

describe('RFC 9449 §4.3 checking DPoP proofs', () => {
  it('accepts a proof: it shows the key, and names its use', async () => {
    const { possession, use, nextNonce } = await verify([signProof(key, request)])
    expect(possession).toEqual({ member: 'jkt', thumbprint: key.thumbprint })
    expect(use).toEqual({ key: expect.stringMatching(/^[\w-]{43}$/), made: testNow, expires: testNow + proofLifetime })
    expect(nextNonce).toBeUndefined()
  })

  it.each(policy.algorithms)('[RFC9449-4.3-5] accepts %s', async (alg) => {
    const its = createTestProofKey(alg)
    expect((await verify([signProof(its, request)])).possession.thumbprint).toBe(its.thumbprint)
  })

  it('[RFC9449-4.2-9] accepts header members and claims that it does not know', async () => {
    const overrides = { header: { kid: '1', x: {} }, claims: { iss: 'a', extra: [1] } }
    expect(await outcome([signProof(key, request, overrides)])).toBe('accepted')
  })

  it('[RFC9449-4.3-1] refuses two headers, and two proofs in one', async () => {
    const proof = signProof(key, request)
    expect(await outcome([proof, signProof(key, request)])).toBe('dpop_repeated')
    expect(await outcome([`${proof}, ${proof}`])).toBe('dpop_repeated')
  })

  it.each(['', 'a', '..', 'a.b.c'])('[RFC9449-4.3-2] refuses what is no JWT: "%s"', async (proof) => {
    expect(await outcome([proof])).toBe('dpop_malformed')
  })

  it.each(['jti', 'htm', 'htu', 'iat'])('[RFC9449-4.3-3] refuses a proof without %s', async (claim) => {
    expect(await expected([signProof(key, request, { claims: { [claim]: undefined } })])).toEqual([
      'dpop_claims_malformed',
      claim,
    ])
  })

  it('[RFC9449-4.3-3] refuses a proof without jwk', async () => {
    const proof = signProof(key, request, { header: { jwk: undefined } })
    expect(await expected([proof])).toEqual(['dpop_claims_malformed', 'jwk'])
  })

  it('[RFC9449-4.3-4] refuses another typ', async () => {
    expect(await outcome([signProof(key, request, { header: { typ: 'JWT' } })])).toBe('dpop_type')
  })

  it.each(signatureAlgorithms.filter((alg) => !policy.algorithms.some((each) => each === alg)))(
    '[RFC9449-4.3-5] refuses %s where the policy does not take it',
    async (alg) => {
      const its = createTestProofKey(alg === 'RS256' ? 'PS256' : alg)
      expect(await outcome([signProof(its, request, { header: { alg } })])).toBe('dpop_algorithm')
    },
  )

  it('[RFC7515-4.1.11] says why a good algorithm is refused', async () => {
    const { reason, seen } = await refusal([signProof(key, request, { header: { crit: ['exp'] } })])
    expect([reason, seen]).toEqual(['dpop_algorithm', 'ES256 with crit, b64 or zip'])
  })

  it('[RFC9449-4.3-6] refuses the signature of another key', async () => {
    expect(await outcome([signProof(key, request, { key: generateTestKey('ES256') })])).toBe('dpop_signature')
  })

  it('[RFC9449-4.3-6] refuses a key of another kind', async () => {
    const { jwk } = createTestProofKey('ES384')
    expect(await outcome([signProof(key, request, { header: { jwk } })])).toBe('dpop_key')
  })

  it('[RFC9449-4.3-7] refuses a key that gives its private half away', async () => {
    const jwk = { ...key.jwk, d: 'AAAA' }
    expect(await outcome([signProof(key, request, { header: { jwk } })])).toBe('dpop_key_private')
  })

  it('[RFC9449-4.3-8] refuses another method, and the same one in another case', async () => {
    expect(await outcome([signProof(key, { ...request, method: 'GET' })])).toBe('dpop_method_differs')
    expect(await outcome([signProof(key, { ...request, method: 'post' })])).toBe('dpop_method_differs')
  })

  it('[RFC9449-4.3-9] refuses another path, and accepts another spelling', async () => {
    expect(await outcome([signProof(key, { ...request, url: 'https://as.test/Token' })])).toBe('dpop_url_differs')
    expect(await outcome([signProof(key, { ...request, url: 'HTTPS://AS.TEST:443/%74oken?a#b' })])).toBe('accepted')
  })

  it('[RFC9449-4.3-10] refuses a proof without the nonce that is asked for, or with another, and hands one out', async () => {
    const required = { ...policy, nonces: 'required' } as const
    const nonce = await nonces.issue(testNow)
    const refusals = [signProof(key, request), signProof(key, request, { claims: { nonce: `${nonce}A` } })]
    expect(await refusal([refusals[0] ?? ''], required)).toMatchObject({ reason: 'dpop_nonce_missing', nonce })
    expect(await refusal([refusals[1] ?? ''], required)).toMatchObject({ reason: 'dpop_nonce_unknown', nonce })
    expect(await verify([signProof(key, { ...request, nonce })], required)).toMatchObject({ nextNonce: nonce })
  })

  it.each([
    ['on its last second', -proofLifetime, 'accepted'],
    ['a second later', -proofLifetime - 1, 'dpop_stale'],
    ['as far ahead as clocks may be', proofAhead, 'accepted'],
    ['a second more', proofAhead + 1, 'dpop_early'],
  ] as const)('[RFC9449-4.3-11] a proof %s', async (_, made, reason) => {
    expect(await outcome([signProof(key, { ...request, now: testNow + made })])).toBe(reason)
  })

  it.each([-proofLifetime - 1, proofAhead + 1])(
    '[RFC9449-4.3-11] on-skew, %i seconds off: asks for a nonce',
    async (off) => {
      const onSkew = { ...policy, nonces: 'on-skew' } as const
      const nonce = await nonces.issue(testNow)
      const skewed = { ...request, now: testNow + off }
      expect(await refusal([signProof(key, skewed)], onSkew)).toMatchObject({ reason: 'dpop_skewed', nonce })
      expect(await outcome([signProof(key, { ...skewed, nonce })], onSkew)).toBe('accepted')
      expect(await outcome([signProof(key, request)], onSkew)).toBe('accepted')
    },
  )

  it.each([
    [nonceLifetime, 'accepted'],
    [nonceLifetime + 1, 'dpop_nonce_unknown'],
  ])('[RFC9449-4.3-11] a nonce of %i seconds: %s', async (age, reason) => {
    const nonce = await nonces.issue(testNow)
    const context = { now: () => testNow + age }
    const proof = signProof(key, { ...request, nonce, now: 1 })
    expect(await outcome([proof], { ...policy, nonces: 'required' }, request, context)).toBe(reason)
  })

  it.each([
    [{ exp: testNow + 1 }, 'accepted'],
    [{ exp: testNow }, 'dpop_stale'],
    [{ nbf: testNow + proofAhead }, 'accepted'],
    [{ nbf: testNow + proofAhead + 1 }, 'dpop_early'],
  ])('[RFC7519-4.1.4] [RFC7519-4.1.5] %j: %s', async (claims, reason) => {
    expect(await outcome([signProof(key, request, { claims })])).toBe(reason)
  })

  it('[RFC9449-4.3-12] refuses a proof for another access token, and one for none', async () => {
    const accessToken = 'a.b.c'
    const call = { ...request, accessToken }
    expect(await outcome([signProof(key, call)], policy, call)).toBe('accepted')
    expect(await outcome([signProof(key, { ...call, accessToken: 'a.b.d' })], policy, call)).toBe('dpop_token_differs')
    expect(await outcome([signProof(key, request)], policy, call)).toBe('dpop_token_differs')
  })

  it('T104: where no access token comes with the request, ath is ignored', async () => {
    expect(await outcome([signProof(key, { ...request, accessToken: 'a.b.c' })])).toBe('accepted')
  })

  it('says in the log what a proof is for, and nothing of a query or a user in it', async () => {
    const withSecret = [
      'https://user:secret@as.test/token',
      'https://as.test/other?secret',
      'https://as.test/\\?secret',
    ]
    for (const htu of withSecret) {
      const { seen } = await refusal([signProof(key, { ...request, url: htu })])
      expect(seen).not.toContain('secret')
    }
  })
})

describe('RFC 9449 §11.1 the use of a proof', () => {
  const useOf = async (asked: TestProofRequest, overrides?: ProofOverrides, its = key): Promise<VerifiedProof['use']> =>
    (await verify([signProof(its, asked, { claims: { jti: 'same' }, ...overrides })], policy, asked)).use

  it('[RFC9449-11.1-2] is one for all spellings of the address, and all moments', async () => {
    const first = await useOf(request)
    const proof = signProof(
      key,
      { ...request, url: 'HTTPS://AS.test:443/token?a', now: testNow - 5 },
      { claims: { jti: 'same' } },
    )
    const second = await verify([proof])
    expect(second.use).toMatchObject({ key: first.key, expires: testNow + proofLifetime - 5 })
  })

  it.each([
    ['jti', { ...request }, { claims: { jti: 'another' } }],
    ['method', { ...request, method: 'GET' }, {}],
    ['address', { ...request, url: 'https://as.test/token/' }, {}],
  ])('[RFC9449-11.1-2] is another with another %s', async (_, asked, overrides) => {
    const claims = { jti: 'same' }
    expect((await useOf(asked, { claims, ...overrides })).key).not.toBe((await useOf(request)).key)
  })

  it('incident 7: is another with another key', async () => {
    const other = createTestProofKey()
    expect((await useOf(request, {}, other)).key).not.toBe((await useOf(request)).key)
  })

  it.each([
    [
      ['a', 'bc'],
      ['ab', 'c'],
    ],
    [
      ['a', '","b'],
      ['a%22,%22', 'b'],
    ],
  ])('incident 9: no two are joined into the same text: %j, %j', async ([path, jti], [otherPath, otherJti]) => {
    const one = await useOf({ method: 'GET', url: `https://as.test/${path}` }, { claims: { jti } })
    const two = await useOf({ method: 'GET', url: `https://as.test/${otherPath}` }, { claims: { jti: otherJti } })
    expect(one.key).not.toBe(two.key)
  })

  it('incident 3, 4: is remembered as long as the proof could pass, ahead or with a nonce', async () => {
    const ahead = await verify([signProof(key, { ...request, now: testNow + proofAhead })])
    expect(ahead.use.expires).toBe(testNow + proofAhead + proofLifetime)
    const fraction = await verify([signProof(key, { ...request, now: testNow - 0.5 })])
    expect(fraction.use.expires).toBeGreaterThanOrEqual(testNow - 0.5 + proofLifetime)
    const nonce = await nonces.issue(testNow - 20)
    const withNonce = await verify([signProof(key, { ...request, nonce })], { ...policy, nonces: 'required' })
    expect(withNonce.use.expires).toBe(testNow - 20 + nonceLifetime)
  })
})

describe('the keys that have shown themselves', () => {
  it('excuse no check', async () => {
    const keys = createBoundedCache<KnownKey>(16)
    expect(await outcome([signProof(key, request)], policy, request, { keys })).toBe('accepted')
    const wrong: readonly [ProofOverrides, string][] = [
      [{ key: generateTestKey('ES256') }, 'dpop_signature'],
      [{ header: { jwk: { ...key.jwk, d: 'AAAA' } } }, 'dpop_key_private'],
      [{ header: { jwk: { ...key.jwk, alg: 'ES384' } } }, 'dpop_key'],
      [{ header: { jwk: { ...key.jwk, use: 'enc' } } }, 'dpop_key'],
      [{ claims: { htm: 'GET' } }, 'dpop_method_differs'],
    ]
    for (const [overrides, reason] of wrong)
      expect(await outcome([signProof(key, request, overrides)], policy, request, { keys })).toBe(reason)
    const taken = { ...policy, algorithms: ['EdDSA'] } as const
    expect(await outcome([signProof(key, request)], taken, request, { keys })).toBe('dpop_algorithm')
    const [header, claims, signature] = signProof(key, request).split('.')
    expect(await outcome([`${header}.${claims}.`], policy, request, { keys })).toBe('dpop_signature')
    expect(await outcome([`${header}.${signature}`], policy, request, { keys })).toBe('dpop_malformed')
  })

  it('are known by the whole header: one with another character is read anew', async () => {
    const keys = createBoundedCache<KnownKey>(16)
    const proofs = [signProof(key, request), signProof(createTestProofKey('ES256'), request)]
    const seen = await Promise.all([...proofs, ...proofs].map((proof) => verify([proof], policy, request, { keys })))
    const [first, second] = seen.map(({ possession }) => possession.thumbprint)
    expect(first).not.toBe(second)
    expect(seen.slice(2).map(({ possession }) => possession.thumbprint)).toEqual([first, second])
  })

  it('are not kept in a header of unusual length', async () => {
    const kept: string[] = []
    const keys = { find: () => undefined, put: (text: string) => void kept.push(text) }
    const proofOf = (length: number) => {
      const proof = (pad: number) => signProof(key, request, { header: { pad: 'x'.repeat(pad) } })
      const long = proof(length / 2).indexOf('.')
      return proof(length / 2 + Math.floor(((length - long) * 3) / 4))
    }
    const [within, beyond] = [proofOf(longestKeptHeader - 3), proofOf(longestKeptHeader + 5)]
    expect(await outcome([within], policy, request, { keys })).toBe('accepted')
    expect(kept).toEqual([within.slice(0, within.indexOf('.'))])
    expect(await outcome([beyond], policy, request, { keys })).toBe('accepted')
    expect(kept).toHaveLength(1)
  })

  it('are kept once they have signed, and not before', async () => {
    const kept: string[] = []
    const keys = { find: () => undefined, put: (text: string) => void kept.push(text) }
    await outcome([signProof(key, request, { key: generateTestKey('ES256') })], policy, request, { keys })
    expect(kept).toEqual([])
    await outcome([signProof(key, request)], policy, request, { keys })
    expect(kept).toHaveLength(1)
  })
})

describe('RFC 9449 §4.2 making DPoP proofs', () => {
  const made = (its: Parameters<typeof createDpopProof>[0], asked: ProvenRequest): Promise<string> =>
    createDpopProof(its, asked, { now: () => testNow, ...nodePrimitives })

  it.each(proofAlgorithms)('[RFC9449-4.2-2] makes one by %s that passes', async (alg) => {
    const its = createTestProofKey(alg)
    const nonce = await nonces.issue(testNow)
    const asked = { method: 'GET', url: 'https://api.test/orders?page=2', accessToken: 'a.b.c', nonce }
    const all = { algorithms: [alg], nonces: 'required' } as const
    expect((await verify([await made(its, asked)], all, asked)).possession.thumbprint).toBe(its.thumbprint)
  })

  it('[RFC9449-4.2-1] [RFC9449-4.2-3] [RFC9449-4.2-4] [RFC9449-4.2-6] has exactly the members that it needs', async () => {
    const proof = await made(key, { method: 'POST', url: 'HTTPS://as.test:443/token?a=b#c' })
    const [header, claims] = partsOf(proof)
    expect(header).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })
    expect(claims).toEqual({
      jti: expect.stringMatching(/^[\w-]{22}$/),
      htm: 'POST',
      htu: 'https://as.test/token',
      iat: testNow,
    })
  })

  it('[RFC9449-4.2-7] [RFC9449-7-2] has the hash of the access token that it goes with', async () => {
    const accessToken = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
    const proof = await made(key, { method: 'GET', url: 'https://api.test/', accessToken })
    expect(partsOf(proof)[1].ath).toBe('fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo')
  })

  it('[RFC9449-4.2-5] has another jti each time', async () => {
    const proofs = await Promise.all(Array.from({ length: 100 }, () => made(key, request)))
    expect(new Set(proofs.map((proof) => partsOf(proof)[1].jti)).size).toBe(100)
  })

  it.each(table('none'))('refuses to make one for no address: %s', async (_, url) => {
    await expect(made(key, { method: 'GET', url })).rejects.toThrow(TypeError)
  })

  it.each([...table('same'), ...table('other')])(
    'makes one that passes, however the address is written: %s',
    async (_, url) => {
      const proof = await made(key, { method: 'GET', url })
      expect(partsOf(proof)[1].htu).toBe(normalTargetUri(url))
      expect(await outcome([proof], policy, { method: 'GET', url })).toBe('accepted')
    },
  )
})

describe('incident 12: one verdict for each spelling of an address', () => {
  const target = 'https://as.test/token'

  it.each(table('same'))('[RFC9449-4.3-13] the same: %s', async (_, url) => {
    expect(await outcome([signProof(key, { method: 'GET', url })], policy, { method: 'GET', url: target })).toBe(
      'accepted',
    )
    expect(await outcome([signProof(key, { method: 'GET', url: target })], policy, { method: 'GET', url })).toBe(
      'accepted',
    )
  })

  it.each([...table('other'), ...table('none')])('[RFC9449-4.3-9] another: %s', async (_, url) => {
    const there = await outcome([signProof(key, { method: 'GET', url })], policy, { method: 'GET', url: target })
    const back = await outcome([signProof(key, { method: 'GET', url: target })], policy, { method: 'GET', url })
    expect([there, back]).toEqual(['dpop_url_differs', 'dpop_url_differs'])
  })

  it.each(table('none'))(
    '[RFC9449-4.3-9] no address is that of no request, not even of its own: %s',
    async (_, url) => {
      expect(await outcome([signProof(key, { method: 'GET', url })], policy, { method: 'GET', url })).toBe(
        'dpop_url_differs',
      )
    },
  )
})

describe('T88: what a hostile key costs', () => {
  const costly = {
    'an RSA key of 16384 bit': ['PS256', { kty: 'RSA', n: 'v'.repeat(2731), e: 'AQAB' }],
    'an exponent of 3072 bit': ['PS256', { kty: 'RSA', n: 'v'.repeat(342), e: 'v'.repeat(512) }],
    'an even RSA key of 4096 bit': ['PS256', { kty: 'RSA', n: `${'v'.repeat(682)}A`, e: 'AQAB' }],
    'no point of its curve': [
      'ES256',
      { kty: 'EC', crv: 'P-256', x: 'v'.repeat(42).concat('8'), y: 'v'.repeat(42).concat('8') },
    ],
    'an ML-DSA key of nothing': ['ML-DSA-65', { kty: 'AKP', alg: 'ML-DSA-65', pub: 'A'.repeat(2603).concat('A') }],
  } satisfies Record<string, [SignatureAlgorithm, object]>

  it.each(Object.entries(costly))('%s is refused in less than two milliseconds', async (_, [alg, jwk]) => {
    const proof = signJwt(
      { typ: 'dpop+jwt', alg, jwk },
      { jti: 'a', htm: 'POST', htu: request.url, iat: testNow },
      key.key,
      'A'.repeat(342),
    )
    const times: number[] = []
    for (let i = 0; i < 9; i++) {
      const begun = performance.now()
      expect(await outcome([proof])).toMatch(/^dpop_(key|signature)$/)
      times.push(performance.now() - begun)
    }
    expect(times.sort((a, b) => a - b)[4]).toBeLessThan(2)
  })

  it.each([16_385, 65_536])('T80: %i characters are not looked at', async (length) => {
    const [header, claims] = signProof(key, request).split('.')
    expect(await outcome([`${header}.${claims}.${'A'.repeat(length)}`])).toBe('dpop_malformed')
    expect(await outcome([`${'.'.repeat(length)}`])).toBe('dpop_malformed')
  })
})

/** Spellings of `https://as.test/token` with their titles. */
function table(verdict: 'same' | 'other' | 'none'): readonly (readonly [title: string, url: string])[] {
  const file = join(import.meta.dirname, '../../../../vectors/target-uris.json')
  const { spellings } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly spellings: readonly { readonly url: string; readonly verdict: string; readonly title: string }[]
  }
  return spellings.filter((row) => row.verdict === verdict).map(({ title, url }) => [title, url])
}

function verify(
  proofs: readonly string[],
  used = policy,
  asked: ProvenRequest = request,
  changes: Partial<DpopContext> = {},
): Promise<VerifiedProof> {
  const context = { now: () => testNow, primitives: nodePrimitives, nonces, keys: createBoundedCache<KnownKey>(4) }
  return verifyDpopProof(proofs, asked, used, { ...context, ...changes })
}

async function outcome(...asked: Parameters<typeof verify>): Promise<string> {
  try {
    await verify(...asked)
    return 'accepted'
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}

async function refusal(...asked: Parameters<typeof verify>): Promise<Refused> {
  const error = await verify(...asked).then(
    () => undefined,
    (refused: unknown) => refused,
  )
  if (error instanceof Refused) return error
  throw error ?? new Error('accepted')
}

async function expected(proofs: readonly string[]): Promise<readonly unknown[]> {
  const { reason, expected: right } = await refusal(proofs)
  return [reason, right]
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into proofs
function partsOf(proof: string): [header: any, claims: any] {
  const [header = '', claims = ''] = proof.split('.')
  return [header, claims].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString())) as [unknown, unknown]
}
