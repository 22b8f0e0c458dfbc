import { describe, expect, it, onTestFinished } from 'vitest'
import type { SigningAlgorithm, SigningKey } from '../../model/signing-key.ts'
import type { Store } from '../../ports/store.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

function next(kid: string, algorithm: SigningAlgorithm = 'ES256'): SigningKey {
  return { kid, algorithm, publicJwk: '{}', sealed: 'v1.', created: 1, stage: 'next' }
}

function active(kid: string, algorithm: SigningAlgorithm = 'ES256'): SigningKey {
  return { ...next(kid, algorithm), stage: 'active', since: 1 }
}

async function stagesOf(store: Store): Promise<string[]> {
  return (await store.listSigningKeys()).map(({ kid, stage }) => `${kid} ${stage}`)
}

describe('signing keys', () => {
  it('are listed in the order of their making, as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const keys = [active('z'), next('a'), active('m', 'RS256')]
    await store.ensureSigningKeys(keys)
    expect(await store.listSigningKeys()).toEqual(keys)
  })

  it('are inserted once for each algorithm and stage', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a'), next('b')])
    await store.ensureSigningKeys([active('c'), next('d'), active('e', 'EdDSA')])
    expect(await stagesOf(store)).toEqual(['a active', 'b next', 'e active'])
  })

  it('are inserted once by many at the same time', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        store.ensureSigningKeys([active(`active ${index}`), next(`next ${index}`)]),
      ),
    )
    expect(await stagesOf(store)).toHaveLength(2)
  })

  it('rotate: active to retired, next to active, fresh to next', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a'), next('b'), active('other', 'RS256')])
    expect(await store.rotateSigningKey({ algorithm: 'ES256', now: 10, expires: 20, fresh: next('c') })).toBe(true)
    expect(await store.listSigningKeys()).toEqual([
      { ...active('a'), stage: 'retired', since: 10, expires: 20 },
      { ...active('b'), since: 10 },
      active('other', 'RS256'),
      next('c'),
    ])
  })

  it.each([
    ['the active one', 'a', ['b active', 'c next']],
    ['the next one', 'b', ['a active', 'c next']],
  ])('are gone when they are revoked, and another takes the place of %s', async (_, kid, left) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a'), next('b')])
    expect(await store.revokeSigningKey({ kid, now: 10, fresh: next('c') })).toBe(true)
    expect((await stagesOf(store)).toSorted()).toEqual(left)
  })

  it('are gone when they are revoked after they have retired, and no other is made', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a'), next('b')])
    await store.rotateSigningKey({ algorithm: 'ES256', now: 10, expires: 20, fresh: next('c') })
    expect(await store.revokeSigningKey({ kid: 'a', now: 11, fresh: next('d') })).toBe(true)
    expect((await stagesOf(store)).toSorted()).toEqual(['b active', 'c next'])
  })

  it('stay when another one is revoked that is unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a'), next('b')])
    expect(await store.revokeSigningKey({ kid: 'x', now: 10, fresh: next('c') })).toBe(false)
    expect((await stagesOf(store)).toSorted()).toEqual(['a active', 'b next'])
  })

  it('do not rotate without a next one, and nothing changes', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([active('a')])
    expect(await store.rotateSigningKey({ algorithm: 'ES256', now: 10, expires: 20, fresh: next('c') })).toBe(false)
    expect(await store.listSigningKeys()).toEqual([active('a')])
  })
})
