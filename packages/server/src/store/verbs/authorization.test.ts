import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../ports/store.ts'
import { sampleAuthorization, sampleCode, sampleReferenceToken, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const { id } = sampleAuthorization
const anothers = { ...sampleAuthorization, id: 'another' }

async function insertBoth(store: Store): Promise<void> {
  const records = { code: sampleCode, refreshToken: sampleRefreshToken, referenceToken: sampleReferenceToken }
  await store.issue({ uses: [], authorization: sampleAuthorization, ...records })
  const referenceToken = { ...sampleReferenceToken, hash: "another's", authorizationId: 'another' }
  await store.issue({ uses: [], authorization: anothers, referenceToken })
}

describe('authorizations', () => {
  it('are found as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { sid, nonce, ...without } = { ...sampleAuthorization, id: 'another' }
    await store.issue({ uses: [], authorization: sampleAuthorization })
    await store.issue({ uses: [], authorization: without })
    expect(await store.findAuthorization(id)).toEqual(sampleAuthorization)
    expect(await store.findAuthorization('another')).toEqual(without)
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findAuthorization(id)).toBeUndefined()
  })

  it('end with their reference tokens when they are revoked, and no others do', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insertBoth(store)
    expect(await store.findReferenceToken('reference')).toEqual(sampleReferenceToken)
    await store.revokeAuthorization({ id, now: 150 })
    expect(await store.findAuthorization(id)).toBeUndefined()
    expect(await store.findReferenceToken('reference')).toBeUndefined()
    expect(await store.findAuthorization('another')).toEqual(anothers)
    expect(await store.findReferenceToken("another's")).toBeDefined()
  })

  it('let their codes and refresh tokens be found after, so that a replay is seen', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insertBoth(store)
    await store.revokeAuthorization({ id, now: 150 })
    expect(await store.findCode('code')).toEqual(sampleCode)
    expect(await store.findRefreshToken('refresh')).toEqual(sampleRefreshToken)
  })

  it('are revoked without effect when they are already, or were never there', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insertBoth(store)
    await store.revokeAuthorization({ id, now: 150 })
    await store.revokeAuthorization({ id, now: 151 })
    await store.revokeAuthorization({ id: 'unknown', now: 151 })
    expect(await store.findAuthorization(id)).toBeUndefined()
    expect(await store.findAuthorization('another')).toEqual(anothers)
  })
})

describe('codes', () => {
  it.each([
    { binding: { jkt: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' }, redirectUriGiven: true },
    { binding: { publicKey: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' }, redirectUriGiven: false },
  ])('are found as they were inserted, with $binding', async (given) => {
    const { store } = await openTemporaryStore(onTestFinished)
    const code = { ...sampleCode, ...given }
    await store.issue({ uses: [], authorization: sampleAuthorization, code })
    expect(await store.findCode('code')).toEqual(code)
  })

  it('are found without a binding when they have none', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { binding, ...code } = sampleCode
    await store.issue({ uses: [], authorization: sampleAuthorization, code })
    expect(await store.findCode('code')).toEqual(code)
  })

  it('are found with the moment at which they were redeemed', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], authorization: sampleAuthorization, code: sampleCode })
    await store.issue({ uses: [], redemptions: [{ kind: 'code', hash: 'code' }], now: 150 })
    expect(await store.findCode('code')).toEqual({ ...sampleCode, redeemed: 150 })
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findCode('code')).toBeUndefined()
  })
})
