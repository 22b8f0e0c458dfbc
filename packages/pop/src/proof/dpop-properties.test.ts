import { sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Seconds } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { Refused, refusals } from '../oauth/refusal.ts'
import { testNow } from '../testing/issuer.ts'
import { createTestProofKey, signProof } from '../testing/proofs.ts'
import { type DpopPolicy, verifyDpopProof } from './dpop.ts'
import { createDpopContext } from './dpop-context.ts'
import { createMemoryReplay, type Replay, requireFirstUse } from './replay.ts'

const key = createTestProofKey()
const request = { method: 'GET', url: 'https://api.test/orders', accessToken: 'a.b.c' }
const context = createDpopContext(new Uint8Array(32).fill(1), { now: () => testNow, primitives: nodePrimitives })
const { nonces } = context
const policies = ['off', 'required', 'on-skew'] as const
const dpopReasons = Object.keys(refusals).filter((reason) => reason.startsWith('dpop_'))

describe('RFC 9449 §4.3 whatever comes in', () => {
  const nonce = nonces.issue(testNow)
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk }
  const claims = async (): Promise<JsonObject> => ({
    jti: 'a',
    htm: request.method,
    htu: request.url,
    iat: testNow,
    ath: Buffer.from(await nodePrimitives.sha256(Buffer.from(request.accessToken))).toString('base64url'),
    nonce: await nonce,
  })

  it('is accepted when nothing is changed', async () => {
    for (const policy of policies) expect(await judge(signed(header, await claims()), policy)).toBe('accepted')
  })

  it('refuses every other value of a header that counts, and never falls over it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('typ', 'alg', 'jwk'), junk, async (member, value) => {
        const proof = signed({ ...header, [member]: value }, await claims())
        expect(dpopReasons).toContain(await judge(proof, 'off'))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses every other value of a member of the key that counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('kty', 'crv', 'x', 'y', 'd', 'use', 'alg'), junk, async (member, value) => {
        fc.pre(!(member === 'use' && value === 'sig'))
        const proof = signed({ ...header, jwk: { ...key.jwk, [member]: value } }, await claims())
        expect(await judge(proof, 'off')).toMatch(/^dpop_(key|key_private|signature)$/)
      }),
      { numRuns: 500 },
    )
  })

  it('refuses every other value of a claim that counts', async () => {
    const counting = fc.constantFrom('htm', 'htu', 'ath', 'nonce')
    await fc.assert(
      fc.asyncProperty(counting, junk, async (claim, value) => {
        const proof = signed(header, { ...(await claims()), [claim]: value })
        expect(dpopReasons).toContain(await judge(proof, 'required'))
      }),
      { numRuns: 500 },
    )
  })

  it('takes no value but a text as jti, and no value but a number as a moment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('jti', 'iat', 'exp', 'nbf'), junk, async (claim, value) => {
        const isRight = claim === 'jti' ? typeof value === 'string' && value !== '' : typeof value === 'number'
        fc.pre(!isRight)
        const proof = signed(header, { ...(await claims()), [claim]: value })
        expect(await judge(proof, 'off')).toBe('dpop_claims_malformed')
      }),
      { numRuns: 500 },
    )
  })

  it('refuses whatever JSON stands in the place of header and claims', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (first, second) => {
        const proof = signed(first, second)
        expect(dpopReasons).toContain(await judge(proof, 'off'))
      }),
    )
  })

  it('refuses a proof of which one character is another', async () => {
    const proof = signed(header, await claims())
    const characters = fc.constantFrom(...'ABCDwxyz0189-_.,= +/')
    await fc.assert(
      fc.asyncProperty(fc.nat(proof.length - 1), characters, async (at, character) => {
        fc.pre(proof[at] !== character)
        const altered = `${proof.slice(0, at)}${character}${proof.slice(at + 1)}`
        expect(dpopReasons).toContain(await judge(altered, 'off'))
      }),
      { numRuns: 500 },
    )
  })

  it('counts no member that stands in Object.prototype', async () => {
    const { nonce: _, ...counting } = await claims()
    const [whole, extra] = [signed(header, counting), { exp: 1, nbf: 2 ** 52, use: 'enc', d: 'AAAA' }]
    for (const [member, value] of Object.entries({ ...header, ...counting, ...key.jwk, ...extra })) {
      const without = (object: JsonObject): JsonObject => ({ ...object, [member]: undefined })
      const lacking = signed(without({ ...header, jwk: without(key.jwk) }), without(counting))
      Object.defineProperty(Object.prototype, member, { value, configurable: true })
      try {
        expect(await judge(whole, 'off')).toBe('accepted')
        expect(await judge(lacking, 'off')).toEqual(
          Object.hasOwn(extra, member) ? 'accepted' : expect.stringMatching(/^dpop_/),
        )
      } finally {
        Reflect.deleteProperty(Object.prototype, member)
      }
    }
  })
})

describe('RFC 9449 §11.1 a proof that was accepted', () => {
  const proof = fc.record({
    /** When the proof says that it was made, and when its nonce really was, against the moment of its first use. */
    iat: fc.oneof(fc.integer({ min: -65, max: 15 }), fc.double({ min: -61, max: 11, noNaN: true })),
    nonceAge: fc.option(fc.integer({ min: 0, max: 305 }), { nil: undefined }),
    exp: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
    policy: fc.constantFrom(...policies),
    first: fc.integer({ min: 0, max: 20 }),
    later: fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 8 }),
  })

  it('incident 3, 4: is at no later moment accepted again', async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(proof, async ({ iat, nonceAge, exp, policy, first, later }) => {
        const at = testNow + first
        const nonce = nonceAge === undefined ? undefined : await nonces.issue(at - nonceAge)
        const claims = {
          iat: at + iat,
          ...(nonce !== undefined && { nonce }),
          ...(exp !== undefined && { exp: at + exp }),
        }
        const used = signProof(key, request, { claims })
        const replay = createMemoryReplay()
        const before = await judge(used, policy, at, replay)
        if (before === 'accepted') accepted++
        for (const seconds of later.sort((a, b) => a - b)) {
          const again = await judge(used, policy, at + seconds, replay)
          if (before === 'accepted') expect(again).toMatch(/^dpop_(replayed|stale|skewed|nonce_unknown)$/)
          // Others use proofs meanwhile, and what is over is forgotten.
          await judge(signProof(key, request, { claims: { iat: at + seconds } }), 'off', at + seconds, replay)
        }
      }),
      { numRuns: 300 },
    )
    expect(accepted).toBeGreaterThan(50)
  })

  it('is refused as a replay while it could pass, and as too old from the next second on', async () => {
    for (const [policy, nonce, lifetime] of [
      ['off', undefined, 60],
      ['on-skew', undefined, 60],
      ['required', await nonces.issue(testNow), 300],
      ['on-skew', await nonces.issue(testNow), 300],
    ] as const) {
      const replay = createMemoryReplay()
      const used = signProof(key, { ...request, ...(nonce !== undefined && { nonce }) })
      expect(await judge(used, policy, testNow, replay)).toBe('accepted')
      for (let seconds = 0; seconds <= lifetime; seconds++)
        expect(await judge(used, policy, testNow + seconds, replay)).toBe('dpop_replayed')
      expect(await judge(used, policy, testNow + lifetime + 1, replay)).toMatch(/^dpop_(stale|skewed|nonce_unknown)$/)
    }
  })

  it('is not accepted again where its last second ends between judging and use, or the clock is set back', async () => {
    const replay = createMemoryReplay()
    const use = { key: 'a', made: 0, expires: testNow }
    expect(await replay.use(use, testNow)).toBe(true)
    expect(await replay.use(use, testNow + 1)).toBe(false)
    expect(await replay.use(use, testNow)).toBe(false)
  })

  it('incident 5: is accepted once of 64 times at once', async () => {
    const replay = createMemoryReplay()
    const used = signProof(key, request)
    const verdicts = await Promise.all(Array.from({ length: 64 }, () => judge(used, 'off', testNow, replay)))
    expect(verdicts.filter((verdict) => verdict === 'accepted')).toHaveLength(1)
    expect(verdicts.filter((verdict) => verdict === 'dpop_replayed')).toHaveLength(63)
  })
})

/** Values of all types, those that look right among them, and never the right ones. */
const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, true, false, 0, -1, 1.5, 2 ** 53, '', [], {}, [[]], { toString: 'a' }, { __proto__: null }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'none', 'HS256', 'enc', 'ec', 'P-384'),
  fc.constantFrom<unknown>(['dpop+jwt'], ['ES256'], ['GET'], [request.url], [key.jwk], { value: 'ES256' }, [testNow]),
)

/** Signs by ES256, whatever the header says. */
function signed(header: unknown, claims: unknown): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(text), { key: key.key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

async function judge(
  proof: string,
  policy: DpopPolicy['nonces'],
  now: Seconds = testNow,
  replay: Replay = createMemoryReplay(),
): Promise<string> {
  try {
    const { use } = await verifyDpopProof(
      [proof],
      request,
      { algorithms: ['ES256'], nonces: policy },
      { ...context, now: () => now },
    )
    await requireFirstUse(use, replay, now)
    return 'accepted'
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}
