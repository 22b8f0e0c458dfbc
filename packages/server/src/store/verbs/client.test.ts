import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSchema } from '../../model/client.ts'
import type { Store } from '../../ports/store.ts'
import {
  sampleAuthorization,
  sampleCode,
  sampleDevice,
  sampleFlow,
  samplePushedRequest,
  sampleReferenceToken,
  sampleRefreshToken,
  sampleRequest,
} from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const client = clientSchema.parse({
  client_id: 'client',
  client_secret_hash: `sha256:${'A'.repeat(43)}`,
  scope: 'api1',
  introspects: ['https://api.example'],
})

const token = {
  jti: 'id',
  subject: 'client',
  clientId: 'client',
  scope: 'api1',
  audience: [],
  issued: 1,
  expires: 1000,
}

/** Leaves a record of each kind for a client, all with its name as hash. */
async function leaveRecords(store: Store, clientId: string): Promise<void> {
  const its = { hash: clientId, clientId, authorizationId: clientId }
  const request = { ...sampleRequest, clientId }
  await store.issue({
    uses: [],
    authorization: { ...sampleAuthorization, clientId, id: clientId },
    code: { ...sampleCode, ...its },
    refreshToken: { ...sampleRefreshToken, ...its },
    referenceToken: { ...sampleReferenceToken, ...its },
  })
  await store.insertPushedRequest({ ...samplePushedRequest, hash: clientId, request })
  await store.insertFlow({ ...sampleFlow, hash: clientId, request })
  await store.insertDeviceAuthorization({ ...sampleDevice, hash: clientId, userCodeHash: clientId, clientId })
  await store.rememberConsent({ subject: 'user:alice', clientId, scope: 'openid' })
}

function recordsOf(store: Store, clientId: string): Promise<unknown[]> {
  return Promise.all([
    store.findAuthorization(clientId),
    store.findCode(clientId),
    store.findRefreshToken(clientId),
    store.findReferenceToken(clientId),
    store.findPushedRequest(clientId),
    store.findFlow(clientId),
    store.findDeviceAuthorization({ hash: clientId }),
    store.findConsent({ subject: 'user:alice', clientId }),
  ])
}

describe('clients', () => {
  it('are found as they were inserted', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.insertClient(client)).toBe(true)
    expect(await store.findClient('client')).toEqual(client)
  })

  it('are absent when unknown', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.findClient('client')).toBeUndefined()
  })

  it('are not inserted over another', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    expect(await store.insertClient({ ...client, scope: 'more' })).toBe(false)
    expect(await store.findClient('client')).toEqual(client)
  })

  it('are listed by client_id', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (const client_id of ['b', 'c', 'a']) await store.insertClient({ ...client, client_id })
    expect((await store.listClients()).map(({ client_id }) => client_id)).toEqual(['a', 'b', 'c'])
  })

  it('are asked for their web origins, but for those that are disabled', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient({ ...client, client_name: '"web_origins":["' })
    expect(await store.listWebOrigins()).toEqual([])
    const [first, second] = ['https://a.example', 'https://b.example']
    await store.insertClient({ ...client, client_id: 'a', web_origins: [first, second] })
    await store.insertClient({ ...client, client_id: 'b', web_origins: [first] })
    await store.insertClient({ ...client, client_id: 'c', web_origins: ['https://c.example'], disabled: true })
    expect(new Set(await store.listWebOrigins())).toEqual(new Set([first, second]))
  })

  it('are replaced', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    expect(await store.replaceClient({ ...client, disabled: true })).toBe(true)
    expect(await store.findClient('client')).toEqual({ ...client, disabled: true })
  })

  it('are not replaced when there is none', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.replaceClient(client)).toBe(false)
    expect(await store.findClient('client')).toBeUndefined()
  })

  it('are deleted with everything that was made for them, and nothing of others', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    for (const clientId of ['client', 'another']) await leaveRecords(store, clientId)
    expect(await recordsOf(store, 'client')).not.toContain(undefined)
    expect(await store.deleteClient('client')).toBe(true)
    expect(await store.findClient('client')).toBeUndefined()
    expect(new Set(await recordsOf(store, 'client'))).toEqual(new Set([undefined]))
    expect(await recordsOf(store, 'another')).not.toContain(undefined)
  })

  it('leave nothing behind when they are deleted while 64 refresh tokens of theirs are replaced', async () => {
    const { store, count } = await openTemporaryStore(onTestFinished)
    for (let round = 0; round < 3; round++) {
      await store.insertClient(client)
      const families = Array.from({ length: 64 }, (_, index) => `${round} ${index}`)
      for (const family of families) {
        await store.issue({
          uses: [],
          authorization: { ...sampleAuthorization, id: family, clientId: 'client' },
          refreshToken: { ...sampleRefreshToken, hash: family, authorizationId: family, clientId: 'client' },
        })
      }
      const refresh = (family: string) =>
        store.issue({
          uses: [],
          redemptions: [{ kind: 'refresh_token', hash: family }],
          now: 150,
          refreshToken: {
            ...sampleRefreshToken,
            hash: `next ${family}`,
            authorizationId: family,
            clientId: 'client',
            generation: 1,
          },
          referenceToken: { ...token, hash: family, authorizationId: family, clientId: 'client' },
        })
      const refreshing = families.map(refresh)
      await Promise.race(refreshing)
      await store.deleteClient('client')
      await Promise.all(refreshing)
      for (const table of ['refresh_token', 'reference_token', 'authorization']) expect(await count(table)).toBe(0)
    }
  })

  it('are not deleted when there is none, nor are the tokens of a client from the settings', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: { ...token, hash: 'its' } })
    expect(await store.deleteClient('client')).toBe(false)
    expect(await store.findReferenceToken('its')).toBeDefined()
  })
})
