import { describe, expect, it, onTestFinished } from 'vitest'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const alice = { subject: 'user:alice', clientId: 'native' }

describe('consents', () => {
  it('are remembered for one person and one client', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.rememberConsent({ ...alice, scope: 'openid' })
    expect(await store.findConsent(alice)).toBe('openid')
    expect(await store.findConsent({ ...alice, subject: 'user:bob' })).toBeUndefined()
    expect(await store.findConsent({ ...alice, clientId: 'web' })).toBeUndefined()
  })

  it('are replaced by a later one', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.rememberConsent({ ...alice, scope: 'openid' })
    await store.rememberConsent({ ...alice, scope: 'openid api1' })
    expect(await store.findConsent(alice)).toBe('openid api1')
  })
})
