import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSchema } from '../../model/client.ts'
import { openTemporaryStore } from '../temporary-store.ts'

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

  it('are deleted with their reference tokens, and no others', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    await store.issue({ uses: [], referenceToken: { ...token, hash: 'its' } })
    await store.issue({ uses: [], referenceToken: { ...token, hash: 'foreign', clientId: 'another' } })
    expect(await store.deleteClient('client')).toBe(true)
    expect(await store.findClient('client')).toBeUndefined()
    expect(await store.findReferenceToken('its')).toBeUndefined()
    expect(await store.findReferenceToken('foreign')).toBeDefined()
  })

  it('are not deleted when there is none, nor are the tokens of a client from the settings', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: { ...token, hash: 'its' } })
    expect(await store.deleteClient('client')).toBe(false)
    expect(await store.findReferenceToken('its')).toBeDefined()
  })
})
