import { describe, expect, it, onTestFinished } from 'vitest'
import { sampleAuthorization, sampleDevice } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const { userCodeHash } = sampleDevice
const approval = { userCodeHash, now: 150, authorization: sampleAuthorization }

describe('device authorizations', () => {
  it('are found by either code as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.insertDeviceAuthorization(sampleDevice)).toBe(true)
    expect(await store.findDeviceAuthorization({ hash: 'device' })).toEqual(sampleDevice)
    expect(await store.findDeviceAuthorization({ userCodeHash })).toEqual(sampleDevice)
  })

  it('are absent when unknown, and one code does not pass for the other', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    expect(await store.findDeviceAuthorization({ hash: userCodeHash })).toBeUndefined()
    expect(await store.findDeviceAuthorization({ userCodeHash: 'device' })).toBeUndefined()
  })

  it('are not inserted with the user code of one that lives', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    const other = { ...sampleDevice, hash: 'other', created: sampleDevice.expires - 1 }
    expect(await store.insertDeviceAuthorization(other)).toBe(false)
    expect(await store.findDeviceAuthorization({ userCodeHash })).toEqual(sampleDevice)
    expect(await store.findDeviceAuthorization({ hash: 'other' })).toBeUndefined()
  })

  it('take over the user code of one that has expired', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    const other = { ...sampleDevice, hash: 'other', created: sampleDevice.expires, expires: 2000 }
    expect(await store.insertDeviceAuthorization(other)).toBe(true)
    expect(await store.findDeviceAuthorization({ userCodeHash })).toEqual(other)
  })

  it('get a user code to exactly one of 64 at once', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const inserted = await Promise.all(
      Array.from({ length: 64 }, (_, index) => store.insertDeviceAuthorization({ ...sampleDevice, hash: `${index}` })),
    )
    expect(inserted.filter(Boolean)).toHaveLength(1)
  })
})

describe('the decision about a device', () => {
  it('approves it with an authorization, which is made', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    expect(await store.decideDevice(approval)).toBe(true)
    const approved = { ...sampleDevice, stage: 'approved', authorizationId: sampleAuthorization.id }
    expect(await store.findDeviceAuthorization({ hash: 'device' })).toEqual(approved)
    expect(await store.findAuthorization(sampleAuthorization.id)).toEqual(sampleAuthorization)
  })

  it('denies it without one', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    expect(await store.decideDevice({ userCodeHash, now: 150 })).toBe(true)
    expect(await store.findDeviceAuthorization({ hash: 'device' })).toEqual({ ...sampleDevice, stage: 'denied' })
  })

  it('comes in time up to the last second', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    expect(await store.decideDevice({ ...approval, now: sampleDevice.expires })).toBe(false)
    expect(await store.findAuthorization(sampleAuthorization.id)).toBeUndefined()
    expect(await store.decideDevice({ ...approval, now: sampleDevice.expires - 1 })).toBe(true)
  })

  it('is made once: 64 answers at once leave one, and one authorization', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    const ids = Array.from({ length: 64 }, (_, index) => `${index}`)
    const decided = await Promise.all(
      ids.map((id) => store.decideDevice({ ...approval, authorization: { ...sampleAuthorization, id } })),
    )
    const made = await Promise.all(ids.map((id) => store.findAuthorization(id)))
    expect(decided.filter(Boolean)).toHaveLength(1)
    expect(made.map((authorization) => authorization !== undefined)).toEqual(decided)
  })

  it('is needed for the device code: pending, denied and redeemed ones are lost', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const redeem = () => store.issue({ uses: [], redemptions: [{ kind: 'device_code', hash: 'device' }], now: 160 })
    const lost = { issued: false, lost: 'device_code' }
    await store.insertDeviceAuthorization(sampleDevice)
    expect(await redeem()).toEqual(lost)
    await store.decideDevice(approval)
    expect(await redeem()).toEqual({ issued: true })
    expect(await store.findDeviceAuthorization({ hash: 'device' })).toEqual({ ...sampleDevice, stage: 'redeemed' })
    expect(await redeem()).toEqual(lost)

    const denied = { ...sampleDevice, hash: 'denied', userCodeHash: 'denied' }
    await store.insertDeviceAuthorization(denied)
    await store.decideDevice({ userCodeHash: 'denied', now: 150 })
    expect(await store.issue({ uses: [], redemptions: [{ kind: 'device_code', hash: 'denied' }], now: 160 })).toEqual(
      lost,
    )
  })
})

describe('polls of a device', () => {
  it('say how long ago the one before was, and nothing at the first', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    const polls = []
    for (const now of [100, 105, 106, 106]) polls.push(await store.pollDevice({ hash: 'device', now }))
    expect(polls).toEqual([undefined, 5, 1, 0])
  })

  it('of 64 at once have one first', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertDeviceAuthorization(sampleDevice)
    const polls = await Promise.all(Array.from({ length: 64 }, () => store.pollDevice({ hash: 'device', now: 100 })))
    expect(polls.filter((before) => before === undefined)).toHaveLength(1)
  })

  it('say nothing of a device that is unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.pollDevice({ hash: 'device', now: 100 })).toBeUndefined()
  })
})
