import { describe, expect, it, onTestFinished } from 'vitest'
import type { Redemption, Store } from '../../ports/store.ts'
import {
  sampleAuthorization,
  sampleCode,
  sampleDevice,
  sampleFlow,
  samplePushedRequest,
  sampleReferenceToken,
  sampleRefreshToken,
  sampleSession,
} from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const { id } = sampleAuthorization

/** Each kind: how a record comes to be that is there to be used up, and the first moment at which it is not any more. */
const kinds: readonly {
  readonly redemption: Redemption
  readonly expires: number
  readonly insert: (store: Store) => Promise<unknown>
}[] = [
  {
    redemption: { kind: 'code', hash: 'code' },
    expires: sampleCode.expires,
    insert: (store) => store.issue({ uses: [], authorization: sampleAuthorization, code: sampleCode }),
  },
  {
    redemption: { kind: 'refresh_token', hash: 'refresh' },
    expires: sampleRefreshToken.expires,
    insert: (store) => store.issue({ uses: [], authorization: sampleAuthorization, refreshToken: sampleRefreshToken }),
  },
  {
    redemption: { kind: 'device_code', hash: 'device' },
    expires: sampleDevice.expires,
    async insert(store) {
      await store.insertDeviceAuthorization(sampleDevice)
      const { userCodeHash } = sampleDevice
      await store.decideDevice({ userCodeHash, now: 100, authorization: sampleAuthorization })
    },
  },
  {
    redemption: { kind: 'pushed_request', hash: 'pushed' },
    expires: samplePushedRequest.expires,
    insert: (store) => store.insertPushedRequest(samplePushedRequest),
  },
  {
    redemption: { kind: 'flow', hash: 'flow' },
    expires: sampleFlow.expires,
    insert: (store) => store.insertFlow(sampleFlow),
  },
]

const followsFromPerson = kinds.slice(0, 3)

describe.each(kinds)('a redemption of kind $redemption.kind', ({ redemption, expires, insert }) => {
  const { kind } = redemption
  const lost = { issued: false, lost: kind }

  it('passes up to the last second, and is lost in the next', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    expect(await store.issue({ uses: [], redemptions: [redemption], now: expires })).toEqual(lost)
    expect(await store.issue({ uses: [], redemptions: [redemption], now: expires - 1 })).toEqual({ issued: true })
  })

  it('is lost when there is no such record', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    expect(await store.issue({ uses: [], redemptions: [{ kind, hash: 'another' }], now: 150 })).toEqual(lost)
  })

  it('is lost as any other kind', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    for (const other of kinds.map((each) => each.redemption.kind).filter((each) => each !== kind)) {
      const redemptions = [{ kind: other, hash: redemption.hash }]
      expect(await store.issue({ uses: [], redemptions, now: 150 })).toEqual({ issued: false, lost: other })
    }
  })

  it('is lost at the second one of two in one issue, and then used up by none', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    expect(await store.issue({ uses: [], redemptions: [redemption, redemption], now: 150 })).toEqual(lost)
    expect(await store.issue({ uses: [], redemptions: [redemption], now: 150 })).toEqual({ issued: true })
  })

  it('is won by exactly one of 64 at once, and the others record nothing', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        store.issue({
          uses: [{ kind: 'assertion', key: `${index}`, expires: 1000 }],
          redemptions: [redemption],
          now: 150,
          session: { ...sampleSession, hash: `${index}` },
        }),
      ),
    )
    const sessions = await Promise.all(outcomes.map((_, index) => store.findSession(`${index}`)))
    expect(outcomes.filter(({ issued }) => issued)).toHaveLength(1)
    expect(outcomes.filter(({ issued }) => !issued)).toEqual(Array(63).fill(lost))
    expect(sessions.map((session) => session !== undefined)).toEqual(outcomes.map(({ issued }) => issued))
  })

  it('is not used up when something else of the issue is lost', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    const both = [redemption, { kind: 'flow', hash: 'missing' }] as const
    expect(await store.issue({ uses: [], redemptions: both, now: 150 })).toEqual({ issued: false, lost: 'flow' })
    const revoked = { uses: [], redemptions: [redemption], now: 150, requireAuthorization: 'missing' }
    expect(await store.issue(revoked)).toEqual({ issued: false, lost: 'authorization' })
    expect(await store.issue({ uses: [], redemptions: [redemption], now: 150 })).toEqual({ issued: true })
  })

  it('needs a moment at which it is judged', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    await expect(store.issue({ uses: [], redemptions: [redemption] })).rejects.toThrow('give now')
    expect(await store.issue({ uses: [], redemptions: [redemption], now: 150 })).toEqual({ issued: true })
  })
})

describe.each(followsFromPerson)('a redemption of kind $redemption.kind of a family', ({ redemption, insert }) => {
  it('is lost when the family is revoked', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    await store.revokeAuthorization({ id, now: 120 })
    const outcome = await store.issue({ uses: [], redemptions: [redemption], now: 150 })
    expect(outcome).toEqual({ issued: false, lost: redemption.kind })
  })
})

describe('issue for an authorization', () => {
  it('is made while the authorization stands', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], authorization: sampleAuthorization })
    expect(await store.issue({ uses: [], requireAuthorization: id })).toEqual({ issued: true })
  })

  it('is made together with the authorization itself', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const issue = { uses: [], authorization: sampleAuthorization, requireAuthorization: id, code: sampleCode }
    expect(await store.issue(issue)).toEqual({ issued: true })
    expect(await store.findCode('code')).toEqual(sampleCode)
  })

  it.each([
    { what: 'a JWT', record: { requireAuthorization: id } },
    { what: 'a code', record: { code: sampleCode } },
    { what: 'a refresh token', record: { refreshToken: sampleRefreshToken } },
    { what: 'a reference token', record: { referenceToken: sampleReferenceToken } },
  ])('is lost for $what when the authorization is revoked or was never there', async ({ record }) => {
    const { store } = await openTemporaryStore(onTestFinished)
    const lost = { issued: false, lost: 'authorization' }
    expect(await store.issue({ uses: [], ...record })).toEqual(lost)
    await store.issue({ uses: [], authorization: sampleAuthorization })
    await store.revokeAuthorization({ id, now: 120 })
    expect(await store.issue({ uses: [], ...record })).toEqual(lost)
    const records = [store.findCode('code'), store.findRefreshToken('refresh'), store.findReferenceToken('reference')]
    expect(await Promise.all(records)).toEqual([undefined, undefined, undefined])
  })
})
