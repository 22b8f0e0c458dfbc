import { describe, expect, it, onTestFinished } from 'vitest'
import { sampleSession } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const fresh = { ...sampleSession, hash: 'fresh' }

describe('sessions', () => {
  it('are found as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertSession(sampleSession)
    expect(await store.findSession('session')).toEqual(sampleSession)
  })

  it('begin with what is issued', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], session: sampleSession })
    expect(await store.findSession('session')).toEqual(sampleSession)
  })

  it('get a new id: the old one is dead', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertSession(sampleSession)
    await store.replaceSession({ old: 'session', session: fresh })
    expect(await store.findSession('session')).toBeUndefined()
    expect(await store.findSession('fresh')).toEqual(fresh)
  })

  it('get a new id also when the old one is gone already', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.replaceSession({ old: 'session', session: fresh })
    expect(await store.findSession('fresh')).toEqual(fresh)
  })

  it('keep the old id when the new one is taken', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertSession(sampleSession)
    await store.insertSession(fresh)
    await expect(store.replaceSession({ old: 'session', session: fresh })).rejects.toThrow()
    expect(await store.findSession('session')).toEqual(sampleSession)
  })

  it('end, and no others', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertSession(sampleSession)
    await store.insertSession(fresh)
    await store.deleteSession('session')
    await store.deleteSession('session')
    expect(await store.findSession('session')).toBeUndefined()
    expect(await store.findSession('fresh')).toEqual(fresh)
  })
})
