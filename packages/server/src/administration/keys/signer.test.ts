import { constants, createPublicKey, verify } from 'node:crypto'
import { isKeyFor } from '@holdfast/pop'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { SigningAlgorithm } from '../../model/signing-key.ts'
import type { Signer } from '../../ports/signer.ts'
import type { Store } from '../../ports/store.ts'
import { openTemporaryStore } from '../../store/temporary-store.fixture.ts'
import { keyContext } from './key-context.fixture.ts'
import { createSigner } from './signer.ts'
import { createSigningKey, ensureSigningKeys, type KeyContext, rotateSigningKey } from './signing-keys.ts'

const data = new TextEncoder().encode('header.claims')
const now = 1000

async function createWith(
  ...algorithms: SigningAlgorithm[]
): Promise<{ readonly signer: Signer; readonly store: Store; readonly context: KeyContext }> {
  const { store } = await openTemporaryStore(onTestFinished)
  const context = keyContext(store, () => now)
  await ensureSigningKeys(store, algorithms, context.sealing, now)
  return { store, context, signer: await createSigner(context) }
}

describe('a signer', () => {
  it.each([
    { algorithm: 'ES256', digest: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
    { algorithm: 'ES384', digest: 'sha384', options: { dsaEncoding: 'ieee-p1363' } },
    { algorithm: 'ES512', digest: 'sha512', options: { dsaEncoding: 'ieee-p1363' } },
    { algorithm: 'EdDSA', digest: null, options: {} },
    { algorithm: 'Ed25519', digest: null, options: {} },
    { algorithm: 'PS256', digest: 'sha256', options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } },
    { algorithm: 'RS256', digest: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
    { algorithm: 'ML-DSA-44', digest: null, options: {} },
    { algorithm: 'ML-DSA-65', digest: null, options: {} },
    { algorithm: 'ML-DSA-87', digest: null, options: {} },
  ] as const)('signs with $algorithm what its published key verifies', async ({ algorithm, digest, options }) => {
    const { signer } = await createWith(algorithm)
    const { kid, sign } = signer.active(algorithm)
    const published = signer.published(now).find((each) => each.kid === kid)
    expect(published?.algorithm).toBe(algorithm)
    if (!published) return
    expect(isKeyFor(algorithm, published.key)).toBe(true)
    const key = createPublicKey({ key: { ...published.key }, format: 'jwk' })
    expect(verify(digest, data, { key, ...options }, await sign(data))).toBe(true)
    expect(verify(digest, Buffer.concat([data, data]), { key, ...options }, await sign(data))).toBe(false)
  })

  it('publishes the next key before it signs', async () => {
    const { signer, store } = await createWith('ES256')
    const [, next] = await store.listSigningKeys()
    expect(signer.published(now).map(({ kid }) => kid)).toContain(next?.kid)
    expect(signer.active('ES256').kid).not.toBe(next?.kid)
  })

  it('throws for an algorithm without a key', async () => {
    const { signer } = await createWith('ES256')
    expect(() => signer.active('EdDSA')).toThrow()
  })

  it('signs with the next key once it has read a rotation', async () => {
    const { signer, store, context } = await createWith('ES256')
    const [before, next] = await store.listSigningKeys()
    await rotateSigningKey({ algorithm: 'ES256', lifetime: 100, actor: 'operator' }, context)
    expect(signer.active('ES256').kid).toBe(before?.kid)
    await signer.reload()
    expect(signer.active('ES256').kid).toBe(next?.kid)
  })

  it('publishes a retired key to its last second, and no longer', async () => {
    const { signer, context } = await createWith('ES256')
    const { kid } = signer.active('ES256')
    await rotateSigningKey({ algorithm: 'ES256', lifetime: 100, actor: 'operator' }, context)
    await signer.reload()
    const publishedAt = (moment: number) => signer.published(moment).map((each) => each.kid)
    expect(publishedAt(now + 99)).toContain(kid)
    expect(publishedAt(now + 100)).not.toContain(kid)
    expect(publishedAt(now + 100)).toHaveLength(2)
  })

  it.each(['its public half is that of another', 'it is a new one, with what is sealed of another'] as const)(
    'publishes no key that somebody wrote into the database: %s',
    async (how) => {
      const { store, context } = await createWith('ES256')
      const forged = await createSigningKey('ES256', keyContext(store, () => now, 8).sealing, now)
      const [first, ...others] = await store.listSigningKeys()
      if (!first) return
      const { publicJwk } = forged
      const written = how.startsWith('its') ? [{ ...first, publicJwk }] : [first, { ...forged, sealed: first.sealed }]
      const listSigningKeys = async () => [...written, ...others]
      const publicHalves = async () => {
        const signer = await createSigner({ ...context, store: { listSigningKeys } })
        return signer.published(now).map(({ key }) => key)
      }
      const own = (await createSigner(context)).published(now).map(({ key }) => key)
      if (how.startsWith('its')) expect(await publicHalves()).toEqual(own)
      else await expect(publicHalves()).rejects.toMatchObject({ name: 'SettingsError' })
    },
  )

  it('refuses the wrong encryption key', async () => {
    const { store } = await createWith('ES256')
    const wrong = keyContext(store, () => now, 8)
    await expect(createSigner(wrong)).rejects.toMatchObject({ name: 'SettingsError' })
  })
})
