import { hash } from 'node:crypto'
import {
  decodeBase64url,
  encodeBase64url,
  isKeyFor,
  parseJsonObject,
  parsePublicJwk,
  thumbprintInput,
} from '@holdfast/pop'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SigningKey, signingAlgorithms } from '../model/signing-key.ts'
import { openTemporaryStore } from '../store/temporary-store.fixture.ts'
import { createSigningKey, ensureSigningKeys, openSealedKey, rotateSigningKey } from './signing-keys.ts'

const encryptionKey = new Uint8Array(32).fill(7)
const wrongKey = new Uint8Array(32).fill(8)
const now = 1000

describe('a signing key', () => {
  it.each(signingAlgorithms)('for %s has a public half to publish and opens to its private half', async (algorithm) => {
    const key = await createSigningKey(algorithm, encryptionKey, now)
    const jwk = parseJsonObject(key.publicJwk)
    const parsed = parsePublicJwk(jwk)
    expect(parsed && isKeyFor(algorithm, parsed)).toBe(true)
    expect(jwk).toEqual({ ...parsed, alg: algorithm, use: 'sig', kid: key.kid })
    const opened = parsePublicJwk(publicHalf({ ...openSealedKey(key, encryptionKey).export({ format: 'jwk' }) }))
    expect(opened).toEqual(parsed)
  })

  it('[RFC7638-3] has its thumbprint as kid', async () => {
    const { kid, publicJwk } = await createSigningKey('ES256', encryptionKey, now)
    const jwk = parsePublicJwk(parseJsonObject(publicJwk))
    expect(jwk && hash('sha256', thumbprintInput(jwk), 'base64url')).toBe(kid)
  })

  it('does not open with another encryption key', async () => {
    const key = await createSigningKey('ES256', encryptionKey, now)
    expect(() => openSealedKey(key, wrongKey)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
  })

  const tampering: readonly { readonly what: string; readonly tamper: (key: SigningKey) => SigningKey }[] = [
    { what: 'under the kid of another', tamper: (key) => ({ ...key, kid: 'another' }) },
    { what: 'with a flipped bit', tamper: (key) => ({ ...key, sealed: flip(key.sealed, 20) }) },
    { what: 'with a flipped bit in its tag', tamper: (key) => ({ ...key, sealed: flip(key.sealed, -1) }) },
    { what: 'cut short', tamper: (key) => ({ ...key, sealed: key.sealed.slice(0, 20) }) },
    { what: 'of another version', tamper: (key) => ({ ...key, sealed: key.sealed.replace('v1.', 'v2.') }) },
  ]
  it.each(tampering)('does not open $what', async ({ tamper }) => {
    const key = await createSigningKey('ES256', encryptionKey, now)
    expect(() => openSealedKey(tamper(key), encryptionKey)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
  })
})

describe('ensuring signing keys', () => {
  it('makes an active and a next one for each algorithm', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256', 'EdDSA', 'ES256'], encryptionKey, now)
    const stages = (await store.listSigningKeys()).map(({ algorithm, stage }) => `${algorithm} ${stage}`)
    expect(stages).toEqual(['ES256 active', 'ES256 next', 'EdDSA active', 'EdDSA next'])
  })

  it('changes nothing where there are some', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256'], encryptionKey, now)
    const before = await store.listSigningKeys()
    await ensureSigningKeys(store, ['ES256'], encryptionKey, now + 1)
    expect(await store.listSigningKeys()).toEqual(before)
  })

  it('refuses the wrong encryption key before it makes anything', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['ES256'], encryptionKey, now)
    await expect(ensureSigningKeys(store, ['EdDSA'], wrongKey, now)).rejects.toMatchObject({ name: 'SettingsError' })
    expect(await store.listSigningKeys()).toHaveLength(2)
  })
})

describe('rotating a signing key', () => {
  it('moves each key on by one stage', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], encryptionKey, now)
    const [active, next] = await store.listSigningKeys()
    expect(await rotateSigningKey(store, { algorithm: 'EdDSA', encryptionKey, now: 2000, lifetime: 100 })).toBe(true)
    const [first, second, third] = await store.listSigningKeys()
    expect(first).toEqual({ ...active, stage: 'retired', since: 2000, expires: 2100 })
    expect(second).toEqual({ ...next, stage: 'active', since: 2000 })
    expect(third).toMatchObject({ stage: 'next', created: 2000 })
  })

  it('changes nothing for an algorithm without keys', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await rotateSigningKey(store, { algorithm: 'EdDSA', encryptionKey, now, lifetime: 100 })).toBe(false)
    expect(await store.listSigningKeys()).toEqual([])
  })

  it('refuses the wrong encryption key', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureSigningKeys(store, ['EdDSA'], encryptionKey, now)
    const rotation = rotateSigningKey(store, { algorithm: 'EdDSA', encryptionKey: wrongKey, now, lifetime: 100 })
    await expect(rotation).rejects.toMatchObject({ name: 'SettingsError' })
  })
})

function publicHalf({ d, p, q, dp, dq, qi, priv, ...rest }: Record<string, unknown>): unknown {
  return rest
}

function flip(sealed: string, at: number): string {
  const bytes = decodeBase64url(sealed.slice('v1.'.length)) ?? new Uint8Array()
  const index = at < 0 ? bytes.length + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 1
  return `v1.${encodeBase64url(bytes)}`
}
