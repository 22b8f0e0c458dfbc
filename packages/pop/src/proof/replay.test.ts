import { describe, expect, it } from 'vitest'
import { createMemoryReplay, type Replay, requireFirstUse } from './replay.ts'

const now = 1_800_000_000
const use = { key: 'a', made: 0, expires: now + 60 }

describe('RFC 9449 §11.1 the replay memory of one process', () => {
  it('[RFC9449-11.1-2] takes each use once', async () => {
    const replay = createMemoryReplay()
    expect(await replay.use(use, now)).toBe(true)
    expect(await replay.use({ ...use, key: 'b' }, now)).toBe(true)
    expect(await replay.use(use, now)).toBe(false)
  })

  it('remembers a use in its last second, and has forgotten it in the next one', async () => {
    const replay = createMemoryReplay({ capacity: 1 })
    await replay.use(use, now)
    expect(await replay.use(use, now + 60)).toBe(false)
    expect(await replay.use({ key: 'b', made: 0, expires: now + 121 }, now + 61)).toBe(true)
  })

  it('forgets each use at its own time', async () => {
    const replay = createMemoryReplay()
    await replay.use({ key: 'long', made: 0, expires: now + 300 }, now)
    await replay.use({ key: 'short', made: 0, expires: now + 60 }, now)
    await replay.use({ key: 'other', made: 0, expires: now + 161 }, now + 101)
    expect(await replay.use({ key: 'long', made: 0, expires: now + 300 }, now + 101)).toBe(false)
  })

  it('declines what it has no room for, and forgets nothing for it', async () => {
    const replay = createMemoryReplay({ capacity: 2 })
    await replay.use(use, now)
    await replay.use({ ...use, key: 'b' }, now)
    expect(() => replay.use({ ...use, key: 'c' }, now)).toThrow(/full/)
    expect(await replay.use(use, now)).toBe(false)
  })
})

describe('RFC 9449 §11.1 using a proof up', () => {
  const reasonOf = (replay: Replay) =>
    requireFirstUse(use, replay, now).then(
      () => 'used',
      ({ reason, retryAfter }) => (retryAfter === undefined ? reason : `${reason}, again in ${retryAfter} s`),
    )

  it('passes for the first, now or later', async () => {
    expect(await reasonOf({ use: () => true })).toBe('used')
    expect(await reasonOf({ use: async () => true })).toBe('used')
  })

  it('hands over what is used and when', async () => {
    const seen: unknown[] = []
    await requireFirstUse(use, { use: (...given) => seen.push(...given) > 0 }, now)
    expect(seen).toEqual([use, now])
  })

  it('refuses whoever is not the first', async () => {
    expect(await reasonOf({ use: () => false })).toBe('dpop_replayed')
    expect(await reasonOf({ use: async () => false })).toBe('dpop_replayed')
  })

  it('refuses everybody where it cannot be recorded', async () => {
    const lost = 'replay_unavailable, again in 2 s'
    expect(await reasonOf({ use: () => Promise.reject(new Error('no connection')) })).toBe(lost)
    expect(await reasonOf(createMemoryReplay({ capacity: 0 }))).toBe(lost)
  })
})
