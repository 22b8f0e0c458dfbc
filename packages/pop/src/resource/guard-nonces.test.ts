import { describe, expect, it } from 'vitest'
import { createMemoryReplay } from '../proof/replay.ts'
import { testNow } from '../testing/issuer.ts'
import { signProof } from '../testing/proofs.ts'
import {
  admitted,
  declined,
  guard,
  guardWith,
  issuer,
  key,
  own,
  proving,
  reasonOf,
  request,
  thumbprint,
  url,
} from './guard-dpop.fixture.ts'
import type { GuardOptions } from './policy.ts'

describe('RFC 9449 §9 nonces of an API', () => {
  const nonceKey = new Uint8Array(32).fill(7)
  const at = (now: number, dpop: GuardOptions['dpop']) => guardWith({ dpop: { nonceKey, ...dpop } }, { now: () => now })
  const requiring = at(testNow, { nonces: 'required' })
  const nonceOf = async (from = requiring) => (await declined(from.judge(proving({})))).nonce ?? ''

  it('[S14] [RFC9449-9-1] [RFC9449-4.3-10] are asked for by a single DPoP challenge', async () => {
    const verdict = await declined(requiring.judge(proving({})))
    expect(verdict).toMatchObject({ reason: 'dpop_nonce_missing', status: 401, error: 'use_dpop_nonce' })
    expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="use_dpop_nonce".*algs="ES256 /)])
    expect(verdict.nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
  })

  it('[RFC9449-8.2-1] [RFC9449-8.2-3] pass, and the answer hands out the next one, not to be kept', async () => {
    const { headers } = await admitted(requiring.judge(proving({ nonce: await nonceOf() })))
    expect(headers).toEqual({ 'dpop-nonce': expect.any(String), 'cache-control': 'no-store' })
    const next = proving({ nonce: headers?.['dpop-nonce'] ?? '' })
    expect(reasonOf(await requiring.judge(next))).toBe('admitted')
  })

  it('[RFC9449-4.3-11] count for five minutes and no second longer, whatever iat says', async () => {
    const nonce = await nonceOf()
    const long = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint }, exp: testNow + 1000 } })
    const proof = () => [signProof(key, { method: 'GET', url, accessToken: long, nonce, now: testNow - 100_000 })]
    const judgedAt = async (now: number) =>
      reasonOf(await at(now, { nonces: 'required' }).judge(request({ token: long, proofs: proof() })))
    expect(await judgedAt(testNow + 300)).toBe('admitted')
    expect(await judgedAt(testNow + 301)).toBe('dpop_nonce_unknown')
  })

  it('[RFC9449-9-2] of another API, or of this one under another key, are not accepted', async () => {
    const nonce = await nonceOf(guardWith({ dpop: { nonces: 'required' } }))
    const verdict = await declined(requiring.judge(proving({ nonce })))
    expect(verdict).toMatchObject({ reason: 'dpop_nonce_unknown', error: 'use_dpop_nonce', nonce: await nonceOf() })
  })

  it('are those of all processes that share the key', async () => {
    const nonce = await nonceOf(at(testNow, { nonces: 'required' }))
    expect(reasonOf(await requiring.judge(proving({ nonce })))).toBe('admitted')
  })

  it('are not what the caller makes of the key afterwards', async () => {
    const own = new Uint8Array(32).fill(7)
    const from = guardWith({ dpop: { nonces: 'required', nonceKey: own } })
    own.fill(0)
    expect(reasonOf(await requiring.judge(proving({ nonce: await nonceOf(from) })))).toBe('admitted')
  })

  it.each([1, null, ['a'], '', 'a'.repeat(32)])('refuses the nonce %j', async (nonce) => {
    expect(reasonOf(await requiring.judge(proving({}, { claims: { nonce } })))).toBe('dpop_nonce_unknown')
  })

  it('[RFC9449-11.3-1] where they are required, no proof passes without one', async () => {
    expect(reasonOf(await requiring.judge(proving({ nonce: await nonceOf() })))).toBe('admitted')
    expect(reasonOf(await requiring.judge(proving({})))).toBe('dpop_nonce_missing')
  })

  it('are not looked at where they are off', async () => {
    const verdict = await admitted(guard.judge(proving({ nonce: 'anything' })))
    expect(verdict.headers).toBeUndefined()
  })

  it('on-skew: help a client whose clock is off, and trouble no other', async () => {
    const lenient = at(testNow, { nonces: 'on-skew' })
    expect((await admitted(lenient.judge(proving({})))).headers).toBeUndefined()
    for (const now of [testNow - 61, testNow + 11]) {
      const verdict = await declined(lenient.judge(proving({ now })))
      expect(verdict).toMatchObject({ reason: 'dpop_skewed', status: 401, error: 'use_dpop_nonce' })
      expect(verdict.challenges).toHaveLength(1)
      const next = lenient.judge(proving({ now, nonce: verdict.nonce ?? '' }))
      expect((await admitted(next)).headers).toMatchObject({ 'dpop-nonce': expect.any(String) })
    }
  })

  it('say nothing about tokens that are not DPoP-bound', async () => {
    const token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint } } })
    const verdict = requiring.judge(request({ token, scheme: 'Bearer', certificate: own, proofs: [] }))
    expect((await admitted(verdict)).headers).toBeUndefined()
  })

  it('a proof with a nonce is remembered as long as its nonce counts', async () => {
    const replay = createMemoryReplay()
    const long = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint }, exp: testNow + 1000 } })
    const proofs = [signProof(key, { method: 'GET', url, accessToken: long, nonce: await nonceOf() })]
    const judgedAt = async (now: number) =>
      reasonOf(await at(now, { nonces: 'required', replay }).judge(request({ token: long, proofs })))
    expect(await judgedAt(testNow)).toBe('admitted')
    for (const later of [61, 200, 299, 300]) expect(await judgedAt(testNow + later)).toBe('dpop_replayed')
    expect(await judgedAt(testNow + 301)).toBe('dpop_nonce_unknown')
  })
})
