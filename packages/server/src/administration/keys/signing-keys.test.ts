import { hash } from 'node:crypto'
import {
  decodeBase64url,
  encodeBase64url,
  isKeyFor,
  parseJsonObject,
  parsePublicJwk,
  thumbprintInput,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SigningKey, signingAlgorithms } from '../../model/signing-key.ts'
import { openTemporaryStore } from '../../store/temporary-store.fixture.ts'
import { keyContext } from './key-context.fixture.ts'
import { createSealing } from './sealing.ts'
import {
  createSigningKey,
  ensureSigningKeys,
  openSealedKey,
  revokeSigningKey,
  rotateSigningKey,
} from './signing-keys.ts'

const sealing = createSealing([new Uint8Array(32).fill(7)], nodePrimitives.random)
const wrong = createSealing([new Uint8Array(32).fill(8)], nodePrimitives.random)
const now = 1000

describe('a signing key', () => {
  it.each(signingAlgorithms)('for %s has a public half to publish and opens to its private half', async (algorithm) => {
    const key = await createSigningKey(algorithm, sealing, now)
    const jwk = parseJsonObject(key.publicJwk)
    const parsed = parsePublicJwk(jwk)
    expect(parsed && isKeyFor(algorithm, parsed)).toBe(true)
    expect(jwk).toEqual({ ...parsed, alg: algorithm, use: 'sig', kid: key.kid })
    const opened = parsePublicJwk(publicHalf({ ...openSealedKey(key, sealing).export({ format: 'jwk' }) }))
    expect(opened).toEqual(parsed)
  })

  it('[RFC7638-3] has its thumbprint as kid', async () => {
    const { kid, publicJwk } = await createSigningKey('ES256', sealing, now)
    const jwk = parsePublicJwk(parseJsonObject(publicJwk))
    expect(jwk && hash('sha256', thumbprintInput(jwk), 'base64url')).toBe(kid)
  })

  it('does not open with another encryption key', async () => {
    const key = await createSigningKey('ES256', sealing, now)
    expect(() => openSealedKey(key, wrong)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
  })

  const tampering: readonly { readonly what: string; readonly tamper: (key: SigningKey) => SigningKey }[] = [
    { what: 'under the kid of another', tamper: (key) => ({ ...key, kid: 'another' }) },
    { what: 'with a flipped bit', tamper: (key) => ({ ...key, sealed: flip(key.sealed, 20) }) },
    { what: 'with a flipped bit in its tag', tamper: (key) => ({ ...key, sealed: flip(key.sealed, -1) }) },
    { what: 'cut short', tamper: (key) => ({ ...key, sealed: key.sealed.slice(0, 20) }) },
    { what: 'of another version', tamper: (key) => ({ ...key, sealed: key.sealed.replace('v2.', 'v3.') }) },
  ]
  it.each(tampering)('does not open $what', async ({ tamper }) => {
    const key = await createSigningKey('ES256', sealing, now)
    expect(() => openSealedKey(tamper(key), sealing)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
  })
})

describe('signing keys that nobody can open', () => {
  it.each(['active', 'next'])('are found before another is made: %s', async (stage) => {
    const { store } = await openTemporaryStore(onTestFinished)
    const [first, second] = [stage === 'active' ? wrong : sealing, stage === 'next' ? wrong : sealing]
    const active = await createSigningKey('EdDSA', first, now)
    await store.ensureSigningKeys([
      { ...active, stage: 'active', since: now },
      await createSigningKey('EdDSA', second, now),
    ])
    await expect(ensureSigningKeys(store, ['EdDSA'], sealing, now)).rejects.toMatchObject({ name: 'SettingsError' })
  })

  it('are no matter once they are retired', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const old = await createSigningKey('EdDSA', wrong, now)
    await store.ensureSigningKeys([{ ...old, stage: 'retired', since: now, expires: now + 100 }])
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    expect(await store.listSigningKeys()).toHaveLength(3)
  })
})

describe('ensuring signing keys', () => {
  it('makes an active and a next one for each algorithm', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256', 'EdDSA', 'ES256'], sealing, now)
    const stages = (await store.listSigningKeys()).map(({ algorithm, stage }) => `${algorithm} ${stage}`)
    expect(stages).toEqual(['ES256 active', 'ES256 next', 'EdDSA active', 'EdDSA next'])
  })

  it('changes nothing where there are some', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256'], sealing, now)
    const before = await store.listSigningKeys()
    await ensureSigningKeys(store, ['ES256'], sealing, now + 1)
    expect(await store.listSigningKeys()).toEqual(before)
  })

  it('refuses the wrong encryption key before it makes anything', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256'], sealing, now)
    await expect(ensureSigningKeys(store, ['EdDSA'], wrong, now)).rejects.toMatchObject({ name: 'SettingsError' })
    expect(await store.listSigningKeys()).toHaveLength(2)
  })
})

const rotation = { algorithm: 'EdDSA', lifetime: 100, actor: 'operator' } as const

describe('the audit log of signing keys', () => {
  it('says who rotated which algorithm, and which key is next now', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    await rotateSigningKey(
      rotation,
      keyContext(store, () => 2000),
    )
    const next = (await store.listSigningKeys()).at(-1)?.kid
    const [entry, ...rest] = await store.listAudit({ node: 'node', after: 0, limit: 10 })
    expect(rest).toEqual([])
    expect(entry).toMatchObject({ event: 'key_rotated', time: 2000 })
    expect(parseJsonObject(entry?.entry ?? '')).toEqual({ actor: 'operator', details: { algorithm: 'EdDSA', next } })
  })

  it('says who revoked which key', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    const kid = (await store.listSigningKeys()).at(0)?.kid ?? ''
    expect(
      await revokeSigningKey(
        { kid, actor: 'operator' },
        keyContext(store, () => 2000),
      ),
    ).toBe(true)
    const [entry] = await store.listAudit({ node: 'node', after: 0, limit: 10 })
    expect(entry).toMatchObject({ event: 'key_revoked' })
    expect(parseJsonObject(entry?.entry ?? '')).toMatchObject({ details: { kid, stage: 'active' } })
  })

  it('says nothing of what has changed nothing', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    const context = keyContext(store, () => 2000)
    expect(await rotateSigningKey({ ...rotation, since: now - 1 }, context)).toBe(false)
    expect(await revokeSigningKey({ kid: 'none', actor: 'operator' }, context)).toBe(false)
    expect(await store.listAudit({ node: 'node', after: 0, limit: 10 })).toEqual([])
  })
})

describe('rotating a signing key', () => {
  it('moves each key on by one stage', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    const [active, next] = await store.listSigningKeys()
    expect(
      await rotateSigningKey(
        rotation,
        keyContext(store, () => 2000),
      ),
    ).toBe(true)
    const [first, second, third] = await store.listSigningKeys()
    expect(first).toEqual({ ...active, stage: 'retired', since: 2000, expires: 2100 })
    expect(second).toEqual({ ...next, stage: 'active', since: 2000 })
    expect(third).toMatchObject({ stage: 'next', created: 2000 })
  })

  it('changes nothing for an algorithm without keys', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(
      await rotateSigningKey(
        rotation,
        keyContext(store, () => now),
      ),
    ).toBe(false)
    expect(await store.listSigningKeys()).toEqual([])
  })

  it('refuses the wrong encryption key', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], sealing, now)
    const rotated = rotateSigningKey(
      rotation,
      keyContext(store, () => now, 8),
    )
    await expect(rotated).rejects.toMatchObject({ name: 'SettingsError' })
  })
})

function publicHalf({ d, p, q, dp, dq, qi, priv, ...rest }: Record<string, unknown>): unknown {
  return rest
}

function flip(sealed: string, at: number): string {
  const bytes = decodeBase64url(sealed.slice('v2.'.length)) ?? new Uint8Array()
  const index = at < 0 ? bytes.length + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 1
  return `v2.${encodeBase64url(bytes)}`
}
