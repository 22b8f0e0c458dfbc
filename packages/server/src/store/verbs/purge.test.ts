import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReferenceToken } from '../../model/reference-token.ts'
import type { SigningKey } from '../../model/signing-key.ts'
import type { Store } from '../../ports/store.ts'
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

const expires = 1000
const day = 86_400
const authorization = { ...sampleAuthorization, expires }
const fresh: SigningKey = {
  kid: 'c',
  algorithm: 'ES256',
  publicJwk: '{}',
  sealed: 'v1.',
  created: 1,
  stage: 'next',
}

function token(hash: string): ReferenceToken {
  return { hash, jti: hash, subject: 's', clientId: 'c', scope: '', audience: [], issued: 1, expires }
}

describe('purge', () => {
  it('keeps a revocation in the last second of what it revokes, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(true)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(false)
  })

  it('by several nodes at once deletes each row once, and none waits for another', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (let made = 0; made < 80; made++) await store.issue({ uses: [], referenceToken: token(`${made}`) })
    const gone = await Promise.all(Array.from({ length: 4 }, () => store.purge({ before: expires + 1, limit: 20 })))
    expect(gone).toEqual([20, 20, 20, 20])
    expect(await store.purge({ before: expires + 1, limit: 20 })).toBe(0)
  })

  it('keeps a reference token in its last second, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token('hash') })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.findReferenceToken('hash')).toBeDefined()
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.findReferenceToken('hash')).toBeUndefined()
  })

  it('keeps a use in its last second, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const uses = [{ kind: 'assertion' as const, key: 'first', expires }]
    await store.issue({ uses })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.issue({ uses })).toMatchObject({ issued: false })
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.issue({ uses })).toEqual({ issued: true })
  })

  it('keeps a retired key in its last second, and deletes it after; others stay', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([
      { ...fresh, kid: 'a', stage: 'active', since: 1 },
      { ...fresh, kid: 'b' },
    ])
    await store.rotateSigningKey({ algorithm: 'ES256', now: 10, expires, fresh })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect((await store.listSigningKeys()).map(({ kid }) => kid)).toEqual(['b', 'c'])
  })

  it('deletes at most the limit of each kind, the oldest first', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (let age = 1; age <= 5; age++) {
      await store.revokeJwt({ jti: `${age}`, expires: expires - age })
      await store.issue({ uses: [{ kind: 'assertion', key: `${age}`, expires: expires - age }] })
    }
    expect(await store.purge({ before: expires, limit: 2 })).toBe(4)
    const left = await Promise.all(['5', '4', '3', '2', '1'].map((jti) => store.isJwtRevoked({ jti, issued: 1 })))
    expect(left).toEqual([false, false, true, true, true])
    expect(await store.purge({ before: expires, limit: 10 })).toBe(6)
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
  })
})

describe('purge of what people leave', () => {
  it('keeps sessions, flows, pushed requests and devices in their last second, and deletes them after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertSession({ ...sampleSession, expires })
    await store.insertFlow({ ...sampleFlow, expires })
    await store.insertPushedRequest({ ...samplePushedRequest, expires })
    await store.insertDeviceAuthorization({ ...sampleDevice, expires })
    const find = () =>
      Promise.all([
        store.findSession('session'),
        store.findFlow('flow'),
        store.findPushedRequest('pushed'),
        store.findDeviceAuthorization({ hash: 'device' }),
      ])
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await find()).not.toContain(undefined)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(4)
    expect(new Set(await find())).toEqual(new Set([undefined]))
  })

  it('keeps a pushed request for the flow that it began', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertPushedRequest(samplePushedRequest)
    await store.insertFlow({ ...sampleFlow, pushedRequest: 'pushed', expires })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.findPushedRequest('pushed')).toEqual(samplePushedRequest)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(2)
  })

  it('keeps a redeemed code as long as an access token may live, so that a replay is seen', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], authorization: sampleAuthorization, code: { ...sampleCode, expires } })
    await store.issue({ uses: [], redemptions: [{ kind: 'code', hash: 'code' }], now: 150 })
    expect(await store.purge({ before: expires + day, limit: 10 })).toBe(0)
    expect(await store.findCode('code')).toMatchObject({ redeemed: 150 })
    await store.purge({ before: expires + day + 1, limit: 10 })
    expect(await store.findCode('code')).toBeUndefined()
  })

  it('keeps a replaced refresh token until its family has expired, so that a replay is seen', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const refreshToken = { ...sampleRefreshToken, expires: 500 }
    await store.issue({ uses: [], authorization, refreshToken })
    await store.issue({ uses: [], redemptions: [{ kind: 'refresh_token', hash: 'refresh' }], now: 150 })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.findRefreshToken('refresh')).toMatchObject({ replaced: 150 })
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.findRefreshToken('refresh')).toBeUndefined()
  })

  it('keeps an authorization as long as a JWT of it may live', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], authorization })
    expect(await store.purge({ before: expires + day, limit: 10 })).toBe(0)
    expect(await store.findAuthorization('family')).toBeDefined()
    expect(await store.purge({ before: expires + day + 1, limit: 10 })).toBe(1)
    expect(await store.findAuthorization('family')).toBeUndefined()
  })

  it.each<{ readonly what: string; readonly insert: (store: Store) => Promise<unknown> }>([
    {
      what: 'a code',
      insert: (store) => store.issue({ uses: [], authorization, code: { ...sampleCode, expires: expires + day } }),
    },
    {
      what: 'a refresh token',
      insert: (store) =>
        store.issue({ uses: [], authorization, refreshToken: { ...sampleRefreshToken, expires: expires + 2 * day } }),
    },
    {
      what: 'a reference token',
      insert: (store) =>
        store.issue({
          uses: [],
          authorization,
          referenceToken: { ...sampleReferenceToken, expires: expires + 2 * day },
        }),
    },
    {
      what: 'a device',
      async insert(store) {
        await store.insertDeviceAuthorization({ ...sampleDevice, expires: expires + 2 * day })
        await store.decideDevice({ userCodeHash: sampleDevice.userCodeHash, now: 150, authorization })
      },
    },
  ])('keeps an authorization for $what that outlives it', async ({ insert }) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await insert(store)
    await store.purge({ before: expires + 2 * day, limit: 10 })
    expect(await store.findAuthorization('family')).toBeDefined()
    await store.purge({ before: expires + 2 * day + 1, limit: 10 })
    expect(await store.findAuthorization('family')).toBeUndefined()
  })

  it('keeps an authorization that is revoked as long as one that is not', async () => {
    const { store, count } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], authorization })
    await store.revokeAuthorization({ id: 'family', now: 150 })
    await store.purge({ before: expires + day, limit: 10 })
    expect(await count('authorization')).toBe(1)
    await store.purge({ before: expires + day + 1, limit: 10 })
    expect(await count('authorization')).toBe(0)
  })
})
