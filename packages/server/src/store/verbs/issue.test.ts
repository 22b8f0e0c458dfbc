import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReferenceToken } from '../../model/reference-token.ts'
import type { Use } from '../../ports/store.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const use: Use = { kind: 'assertion', key: 'first', expires: 1000 }
const other: Use = { ...use, key: 'second' }
const token: ReferenceToken = {
  hash: 'hash',
  jti: 'id',
  subject: 'client',
  clientId: 'client',
  scope: 'api1',
  audience: ['https://api.example'],
  issued: 1,
  expires: 1000,
}

describe('issue', () => {
  it('marks the uses and inserts the token', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.issue({ uses: [use, other], referenceToken: token })).toEqual({ issued: true })
    expect(await store.findReferenceToken('hash')).toEqual(token)
  })

  it('issues without uses and without a token', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.issue({ uses: [] })).toEqual({ issued: true })
  })

  it('names the use that was lost', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [use] })
    expect(await store.issue({ uses: [use] })).toEqual({ issued: false, lost: 'assertion' })
  })

  it('inserts no token when a use is lost', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [use] })
    await store.issue({ uses: [use], referenceToken: token })
    expect(await store.findReferenceToken('hash')).toBeUndefined()
  })

  it.each([
    { uses: [use, other], lost: other },
    { uses: [other, use], lost: use },
  ])('keeps the one use when the other is lost, in either order', async ({ uses, lost }) => {
    const { store } = await openTemporaryStore(onTestFinished)
    const kept = uses.filter((each) => each !== lost)
    await store.issue({ uses: [lost] })
    expect(await store.issue({ uses })).toMatchObject({ issued: false })
    expect(await store.issue({ uses: kept })).toEqual({ issued: true })
  })

  it('refuses one thing used twice in one issue', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.issue({ uses: [use, use] })).toEqual({ issued: false, lost: 'assertion' })
    expect(await store.issue({ uses: [use] })).toEqual({ issued: true })
  })

  it('lets exactly one of 64 concurrent callers win a use', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (let round = 0; round < 20; round++) {
      const contested = { ...use, key: `round ${round}` }
      const outcomes = await Promise.all(Array.from({ length: 64 }, () => store.issue({ uses: [contested] })))
      expect(outcomes.filter(({ issued }) => issued)).toHaveLength(1)
    }
  })

  it('fails without a trace when the hash of the token is taken', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token })
    await expect(store.issue({ uses: [use], referenceToken: { ...token, scope: 'more' } })).rejects.toThrow()
    expect(await store.findReferenceToken('hash')).toEqual(token)
    expect(await store.issue({ uses: [use] })).toEqual({ issued: true })
  })
})
