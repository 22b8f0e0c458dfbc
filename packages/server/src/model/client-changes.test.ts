import { describe, expect, it } from 'vitest'
import { clientSchema } from './client.ts'
import { changesOf } from './client-changes.ts'

const client_secret_hash = `sha256:${'a'.repeat(43)}`
const shop = clientSchema.parse({ client_id: 'shop', client_secret_hash, scope: 'api1' })
const uris = Array.from({ length: 9 }, (_, each) => `https://shop.example.com/callback/${each}`)

describe('what the audit log tells of a registration', () => {
  it('of a new client is all that is neither off nor empty', () => {
    const told = changesOf(undefined, shop)
    expect(told).toMatchObject({ scope: 'api1', grant_types: '["client_credentials"]', client_secret_hash: 'set' })
    expect(told).not.toHaveProperty('client_id')
    expect(told).not.toHaveProperty('redirect_uris')
    expect(told).not.toHaveProperty('disabled')
  })

  it('is nothing where nothing changed', () => {
    expect(changesOf(shop, { ...shop })).toEqual({})
  })

  it('is what changed, and no more', () => {
    expect(changesOf(shop, { ...shop, scope: 'api1 api2', disabled: true })).toEqual({
      disabled: 'true',
      scope: 'api1 api2',
    })
    expect(changesOf({ ...shop, disabled: true }, shop)).toEqual({ disabled: 'false' })
  })

  it('says of a secret that it was set or taken away, and not what it is', () => {
    const { client_secret_hash: _, ...without } = shop
    expect(changesOf(shop, { ...shop, client_secret_hash: 'sha256:def' })).toEqual({ client_secret_hash: 'set' })
    expect(changesOf(shop, without)).toEqual({ client_secret_hash: '' })
    expect(changesOf(shop, { ...shop, registration_access_token_hash: 'abc' })).toEqual({
      registration_access_token_hash: 'set',
    })
  })

  it('tells long values apart by a hash', () => {
    const [one, other] = [uris, uris.toReversed()].map((redirect_uris) => changesOf(shop, { ...shop, redirect_uris }))
    expect(one?.redirect_uris).toMatch(/^sha256:[A-Za-z0-9_-]{43}$/)
    expect(one).not.toEqual(other)
  })
})
