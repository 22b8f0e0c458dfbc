import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64url, encodeBase64url } from '../foundation/base64url.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { testNow } from '../testing/issuer.ts'
import { createDpopNonces, nonceLifetime } from './dpop-nonce.ts'

const key = new Uint8Array(32).fill(1)
const nonces = createDpopNonces(key, nodePrimitives)

describe('RFC 9449 §8 the nonces of a server', () => {
  it('[RFC9449-8.1-1] are found again, with the moment of their making', async () => {
    const nonce = await nonces.issue(testNow)
    expect(nonce).toMatch(/^[\w-]{32}$/)
    expect(await nonces.find(nonce, testNow)).toBe(testNow)
  })

  it('are one for ten seconds, then another', async () => {
    const nonce = await nonces.issue(testNow)
    expect(await nonces.issue(testNow + 9)).toBe(nonce)
    expect(await nonces.issue(testNow + 10)).not.toBe(nonce)
    expect(await nonces.issue(testNow)).toBe(nonce)
  })

  it('count for 300 seconds', async () => {
    const nonce = await nonces.issue(testNow)
    expect(await nonces.find(nonce, testNow + nonceLifetime)).toBe(testNow)
    expect(await nonces.find(nonce, testNow + nonceLifetime + 1)).toBeUndefined()
  })

  it('do not count before they are made', async () => {
    const nonce = await nonces.issue(testNow)
    expect(await nonces.find(nonce, testNow - 1)).toBeUndefined()
  })

  it('are known to another process with the same key, and to no other server', async () => {
    const nonce = await nonces.issue(testNow)
    expect(await createDpopNonces(Uint8Array.from(key), nodePrimitives).find(nonce, testNow)).toBe(testNow)
    expect(await createDpopNonces(new Uint8Array(32).fill(2), nodePrimitives).find(nonce, testNow)).toBeUndefined()
  })

  it('a clock with fractions does no harm', async () => {
    const nonce = await nonces.issue(testNow + 0.7)
    expect(await nonces.find(nonce, testNow + 0.7)).toBe(testNow)
    expect(await nonces.find(nonce, testNow + nonceLifetime + 0.5)).toBeUndefined()
  })

  it('T103: are refused with any bit altered', async () => {
    const bytes = decodeBase64url(await nonces.issue(testNow)) ?? new Uint8Array()
    expect(bytes).toHaveLength(24)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Uint8Array.from(bytes)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      for (const at of [testNow, testNow + 200, 2 ** 40])
        expect(await nonces.find(encodeBase64url(altered), at)).toBeUndefined()
    }
  })

  it('T103: are refused for every other text', async () => {
    const nonce = await nonces.issue(testNow)
    const texts = fc.oneof(
      fc.string(),
      fc.string({ minLength: 32, maxLength: 32 }),
      fc.base64String({ minLength: 32, maxLength: 32 }),
    )
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        fc.pre(text !== nonce)
        expect(await nonces.find(text, testNow)).toBeUndefined()
      }),
    )
    for (const text of [`${nonce} `, ` ${nonce}`, `${nonce}=`, nonce.toLowerCase(), nonce.slice(1), '/'.repeat(32)])
      expect(await nonces.find(text, testNow)).toBeUndefined()
  })
})
