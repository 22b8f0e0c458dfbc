import { describe, expect, it, onTestFinished } from 'vitest'
import { sampleFlow, samplePushedRequest } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const redemptions = [{ kind: 'flow', hash: 'flow' }] as const
const flow = { ...sampleFlow, pushedRequest: 'pushed' }

describe('flows', () => {
  it.each([sampleFlow, flow])('are found as they were inserted, until they are used up', async (inserted) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    await store.insertFlow(inserted)
    expect(await store.findFlow('flow')).toEqual(inserted)
    await store.issue({ uses: [], redemptions, now: 150 })
    expect(await store.findFlow('flow')).toBeUndefined()
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findFlow('flow')).toBeUndefined()
  })
})

describe('a flow that came from a pushed request', () => {
  it('takes it with it, however old that is', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    await store.insertFlow(flow)
    expect(await store.issue({ uses: [], redemptions, now: samplePushedRequest.expires + 1 })).toEqual({ issued: true })
    expect(await store.findPushedRequest('pushed')).toBeUndefined()
  })

  it('is lost, and stays, when another flow took it', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    await store.insertFlow(flow)
    await store.issue({ uses: [], redemptions: [{ kind: 'pushed_request', hash: 'pushed' }], now: 150 })
    expect(await store.issue({ uses: [], redemptions, now: 150 })).toEqual({ issued: false, lost: 'pushed_request' })
    expect(await store.findFlow('flow')).toEqual(flow)
  })

  it('comes to its end as exactly one of 64 that the same request began', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    const hashes = Array.from({ length: 64 }, (_, index) => `${index}`)
    await Promise.all(hashes.map((hash) => store.insertFlow({ ...flow, hash })))
    const outcomes = await Promise.all(
      hashes.map((hash) => store.issue({ uses: [], redemptions: [{ kind: 'flow', hash }], now: 150 })),
    )
    expect(outcomes.filter(({ issued }) => issued)).toHaveLength(1)
  })
})
