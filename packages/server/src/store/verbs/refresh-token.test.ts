import { describe, expect, it, onTestFinished } from 'vitest'
import type { RefreshToken } from '../../model/authorization.ts'
import type { IssueOutcome, Store } from '../../ports/store.ts'
import { sampleAuthorization, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const first = { uses: [], authorization: sampleAuthorization, refreshToken: sampleRefreshToken }

function generation(number: number): RefreshToken {
  return { ...sampleRefreshToken, hash: `generation ${number}`, generation: number }
}

function rotate(store: Store, hash: string, refreshToken: RefreshToken, now = 150): Promise<IssueOutcome> {
  return store.issue({ uses: [], redemptions: [{ kind: 'refresh_token', hash }], now, refreshToken })
}

describe('refresh tokens', () => {
  it('are found as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { binding, ...rest } = sampleRefreshToken
    const unbound = { ...rest, hash: 'unbound', holder: 'confidential', beganBound: false, generation: 1 } as const
    await store.issue(first)
    await store.issue({ uses: [], refreshToken: unbound })
    expect(await store.findRefreshToken('refresh')).toEqual(sampleRefreshToken)
    expect(await store.findRefreshToken('unbound')).toEqual(unbound)
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findRefreshToken('refresh')).toBeUndefined()
  })

  it('are found as replaced after a rotation', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue(first)
    expect(await rotate(store, 'refresh', generation(1))).toEqual({ issued: true })
    expect(await store.findRefreshToken('refresh')).toEqual({ ...sampleRefreshToken, replaced: 150 })
    expect(await store.findRefreshToken('generation 1')).toEqual(generation(1))
  })

  it('rotate ten times within one second, and only the newest one works', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ ...first, refreshToken: generation(0) })
    for (let number = 0; number < 10; number++)
      expect(await rotate(store, `generation ${number}`, generation(number + 1))).toEqual({ issued: true })
    for (let number = 0; number < 10; number++)
      expect(await rotate(store, `generation ${number}`, generation(11))).toEqual({
        issued: false,
        lost: 'refresh_token',
      })
    expect(await rotate(store, 'generation 10', generation(11))).toEqual({ issued: true })
  })

  it('have one of each generation in a family', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue(first)
    await expect(rotate(store, 'refresh', { ...generation(1), generation: 0 })).rejects.toThrow()
    expect(await store.findRefreshToken('refresh')).toEqual(sampleRefreshToken)
  })

  it('have exactly one successor when 64 rotate at once', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue(first)
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, index) => rotate(store, 'refresh', { ...generation(1), hash: `${index}` })),
    )
    const successors = await Promise.all(outcomes.map((_, index) => store.findRefreshToken(`${index}`)))
    expect(outcomes.filter(({ issued }) => issued)).toHaveLength(1)
    expect(successors.map((token) => token !== undefined)).toEqual(outcomes.map(({ issued }) => issued))
  })
})
