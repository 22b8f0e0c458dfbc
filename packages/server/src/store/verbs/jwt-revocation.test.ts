import { describe, expect, it, onTestFinished } from 'vitest'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

describe('revocations of JWTs', () => {
  it('are remembered', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires: 1000 })
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(true)
  })

  it('touch no other JWT', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires: 1000 })
    expect(await store.isJwtRevoked({ jti: 'another', issued: 1 })).toBe(false)
  })

  it.each([
    { first: 1000, second: 2000 },
    { first: 2000, second: 1000 },
  ])('keep the later expiry when $first is repeated with $second', async ({ first, second }) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires: first })
    await store.revokeJwt({ jti: 'id', expires: second })
    await store.purge({ before: 2000, limit: 10 })
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(true)
    await store.purge({ before: 2001, limit: 10 })
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(false)
  })
})
