import { describe, expect, it, onTestFinished } from 'vitest'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const now = 1000
const until = now + 60
const one = { key: 'one', count: 1, until }

describe('counts that nodes share', () => {
  it('are added up, each by itself, and answered in the order in which they were asked', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.count({ now, counts: [one] })).toEqual([one])
    const counts = [
      { ...one, key: 'two', count: 5 },
      { ...one, count: 2 },
    ]
    expect(await store.count({ now, counts })).toEqual([counts[0], { ...one, count: 3 }])
  })

  it('are added up for any number at once', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const counts = Array.from({ length: 700 }, (_, index) => ({ ...one, key: `key${index}`, count: index + 1 }))
    await store.count({ now, counts })
    const totals = await store.count({ now, counts: counts.toReversed() })
    expect(totals).toEqual(counts.toReversed().map((each) => ({ ...each, count: 2 * each.count })))
  })

  it.each([
    ['in the last second of its window', until - 1, { count: 2, until }],
    ['in the next second', until, { count: 1, until: until + 60 }],
  ])('go on, or begin anew: %s', async (_, later, expected) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.count({ now, counts: [one] })
    expect(await store.count({ now: later, counts: [{ ...one, until: later + 60 }] })).toMatchObject([expected])
  })

  it.each([
    ['five seconds behind goes on', 5, 2],
    ['further behind begins anew', 6, 1],
  ])('of a node that is %s', async (_, behind, count) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.count({ now, counts: [one] })
    expect(await store.count({ now: now - behind, counts: [{ ...one, until: until - behind }] })).toMatchObject([
      { count },
    ])
  })

  it('of many callers at once are all counted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const [forth, back] = [
      [one, { ...one, key: 'two' }],
      [{ ...one, key: 'two' }, one],
    ]
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.count({ now, counts: index % 2 ? forth : back })))
    expect(await store.count({ now, counts: [one] })).toEqual([{ ...one, count: 21 }])
  })

  it('are purged when their window is over', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.count({ now, counts: [one] })
    expect(await store.purge({ before: until, limit: 10 })).toBe(0)
    expect(await store.purge({ before: until + 1, limit: 10 })).toBe(1)
  })
})
