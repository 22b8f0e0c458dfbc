import { describe, expect, it, onTestFinished } from 'vitest'
import { samplePushedRequest } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

describe('pushed requests', () => {
  it('are found as they were inserted, also by many, until they are used up', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    const found = await Promise.all([store.findPushedRequest('pushed'), store.findPushedRequest('pushed')])
    expect(found).toEqual([samplePushedRequest, samplePushedRequest])
    await store.issue({ uses: [], redemptions: [{ kind: 'pushed_request', hash: 'pushed' }], now: 150 })
    expect(await store.findPushedRequest('pushed')).toBeUndefined()
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findPushedRequest('pushed')).toBeUndefined()
  })
})
