import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSchema } from '../../model/client.ts'
import { sampleAuthorization, sampleCode, sampleReferenceToken, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const client = clientSchema.parse({ client_id: 'client', token_endpoint_auth_method: 'none' })

describe('[F08] after the end of all that was under way', () => {
  it('codes, refresh tokens, reference tokens and authorizations are gone; clients and consents stay', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    await store.rememberConsent({ subject: 'user:alice', clientId: 'client', scope: 'openid' })
    const records = { code: sampleCode, refreshToken: sampleRefreshToken, referenceToken: sampleReferenceToken }
    await store.issue({ uses: [], authorization: sampleAuthorization, ...records })
    await store.endAll({ now: 200 })
    expect(await store.findCode('code')).toBeUndefined()
    expect(await store.findRefreshToken('refresh')).toBeUndefined()
    expect(await store.findReferenceToken('reference')).toBeUndefined()
    expect(await store.findAuthorization(sampleAuthorization.id)).toBeUndefined()
    expect(await store.listClients()).toEqual([client])
    expect(await store.findConsent({ subject: 'user:alice', clientId: 'client' })).toBe('openid')
  })

  it('JWTs that were issued until then are revoked, and later ones are not', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.isJwtRevoked({ jti: 'any', issued: 200 })).toBe(false)
    await store.endAll({ now: 200 })
    expect(await store.isJwtRevoked({ jti: 'any', issued: 200 })).toBe(true)
    expect(await store.isJwtRevoked({ jti: 'any', issued: 201 })).toBe(false)
  })

  it('a use that was marked stays used', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const use = { uses: [{ kind: 'assertion', key: 'a', expires: 1000 }] } as const
    await store.issue(use)
    await store.endAll({ now: 200 })
    expect(await store.issue(use)).toEqual({ issued: false, lost: 'assertion' })
  })
})
