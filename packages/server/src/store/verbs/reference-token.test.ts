import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReferenceToken } from '../../model/reference-token.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const token: ReferenceToken = {
  hash: 'hash',
  jti: 'id',
  subject: 'somebody',
  clientId: 'client',
  scope: 'api1 api2',
  audience: ['https://one.example', 'https://two.example'],
  confirmation: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' },
  issued: 1,
  expires: 1000,
}

describe('reference tokens', () => {
  it('are found by their hash, with their confirmation', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token })
    expect(await store.findReferenceToken('hash')).toEqual(token)
  })

  it('are found without a confirmation when they have none', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { confirmation, ...unbound } = token
    await store.issue({ uses: [], referenceToken: unbound })
    expect(await store.findReferenceToken('hash')).toEqual(unbound)
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findReferenceToken('hash')).toBeUndefined()
  })

  it('end when they are revoked, and only they', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token })
    await store.issue({ uses: [], referenceToken: { ...token, hash: 'another' } })
    await store.revokeReferenceToken('hash')
    expect(await store.findReferenceToken('hash')).toBeUndefined()
    expect(await store.findReferenceToken('another')).toBeDefined()
  })

  it('are revoked without effect when there is none, and that is said', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await expect(store.revokeReferenceToken('hash')).resolves.toBe(false)
  })
})
