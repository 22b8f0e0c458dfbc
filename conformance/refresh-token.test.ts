import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Allowed,
  allow,
  api,
  introspected,
  otherApi,
  peopleClients,
  redeem,
  startPeopleServer,
} from './authorized.ts'
import { type Answer, baseClients, claimsOf, declined, type Harness, type Sent } from './harness.ts'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256', days: 3650 })
  renewed = await createClientCertificate({ name: 'phone', keyType: 'P-256', key: certificate.key, days: 3650 })
  other = await createClientCertificate({ name: 'thief', keyType: 'P-256', days: 3650 })
})
afterAll(() => server.close())

type Asked = Partial<Sent> & { readonly client?: string }

/** The first tokens of a family. */
async function begin(sent: Asked = {}, allowed: Partial<Allowed> = {}): Promise<Answer['json']> {
  const { form } = allow(server, { client: sent.client ?? 'web', ...allowed })
  const answer = await redeem(server, form, sent)
  expect(answer.json.refresh_token).toMatch(/^[\w-]{43}$/)
  return answer.json
}

const refresh = (refresh_token: string, sent: Asked = {}, form: Readonly<Record<string, string | undefined>> = {}) =>
  redeem(server, { grant_type: 'refresh_token', refresh_token, ...form }, sent)

describe('RFC 6749 §6 refreshing', () => {
  it('[RFC6749-6] gives a new access token of the same scope', async () => {
    const begun = await begin()
    const answer = await refresh(begun.refresh_token)
    expect(answer.json).toMatchObject({ token_type: 'Bearer', scope: begun.scope })
    expect(claimsOf(answer.json.access_token)).toMatchObject({ sub: 'user:alice', aud: api })
    expect(await introspected(server, answer.json.access_token)).toMatchObject({ active: true })
  })

  it('[OIDC.Core-12.2] gives an ID token of the same sign-in, without a nonce', async () => {
    const begun = await begin({}, { nonce: 'n-0S6' })
    server.advance(10)
    const [first, later] = [claimsOf(begun.id_token), claimsOf((await refresh(begun.refresh_token)).json.id_token)]
    expect(later).toMatchObject({ iss: first.iss, sub: first.sub, aud: first.aud, auth_time: first.auth_time })
    expect(later.iat).toBe(first.iat + 10)
    expect(later.nonce).toBeUndefined()
  })

  it('may ask for less, and for all again later', async () => {
    const { refresh_token, scope } = await begin()
    expect((await refresh(refresh_token, {}, { scope: 'api1' })).json.scope).toBe('api1')
    expect((await refresh(refresh_token)).json.scope).toBe(scope)
  })

  it('[RFC8707-2.2] may ask for one of the resources that were allowed', async () => {
    const { refresh_token } = await begin({}, { scope: 'api1 api2 offline_access', resources: [api, otherApi] })
    const answer = await refresh(refresh_token, {}, { resource: otherApi })
    expect(claimsOf(answer.json.access_token)).toMatchObject({ aud: otherApi, scope: 'api2 offline_access' })
  })

  it.each([
    ['[RFC6749-6-2] [T68] more scope', { scope: 'api1 email' }, 'invalid_scope', 'scope_unknown'],
    ['another API', { resource: otherApi }, 'invalid_target', 'resource_unknown'],
    ['no refresh token', { refresh_token: undefined }, 'invalid_request', 'refresh_token_missing'],
    [
      '[RFC6749-6-5] an unknown refresh token',
      { refresh_token: 'A'.repeat(43) },
      'invalid_grant',
      'refresh_token_unknown',
    ],
    ['a text of another alphabet', { refresh_token: '%'.repeat(43) }, 'invalid_grant', 'refresh_token_unknown'],
  ])('refuses %s', async (_, wrong, error, reason) => {
    const { refresh_token } = await begin()
    const asked = redeem(server, { grant_type: 'refresh_token', refresh_token, ...wrong })
    expect(await declined(server, asked)).toMatchObject({ status: 400, error, reason })
  })

  it('[RFC6749-6-1, RFC6749-10.4-3] [T65] refuses the refresh token of another client, and leaves its family alone', async () => {
    const { refresh_token } = await begin()
    const foreign = await declined(server, refresh(refresh_token, { client: 'web-reference' }))
    expect(foreign).toMatchObject({ error: 'invalid_grant', reason: 'refresh_token_of_another_client' })
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  it('[RFC6749-6-4] refuses a confidential client that does not authenticate', async () => {
    const { refresh_token } = await begin()
    const open = { grant_type: 'refresh_token', refresh_token, client_id: 'web' }
    expect(await declined(server, server.post('/token', open))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      reason: 'client_credentials_missing',
    })
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  it('takes a refresh token in its last second, and refuses it in the next', async () => {
    const lifetime = 2_592_000
    const { refresh_token } = await begin()
    server.advance(lifetime - 1)
    expect((await refresh(refresh_token)).status).toBe(200)
    server.advance(1)
    expect(await declined(server, refresh(refresh_token))).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_expired',
    })
  })
})

describe('a confidential client', () => {
  it('keeps its refresh token', async () => {
    const { refresh_token } = await begin()
    for (let times = 0; times < 3; times++) {
      const answer = await refresh(refresh_token)
      expect(answer.status).toBe(200)
      expect(answer.json.refresh_token).toBeUndefined()
    }
  })

  it('[T107] may bring another certificate: the new token is bound to that', async () => {
    const { refresh_token } = await begin({ certificate })
    const answer = await refresh(refresh_token, { certificate: other })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': other.thumbprint })
  })

  it('is refused without one when the grant began bound', async () => {
    const { refresh_token } = await begin({ certificate })
    expect(await declined(server, refresh(refresh_token))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'grant_began_bound',
    })
  })

  it('may begin to be bound', async () => {
    const { refresh_token } = await begin()
    const answer = await refresh(refresh_token, { certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })
})

describe('RFC 8705 §4 a public client that began with a certificate', () => {
  const client = 'native'

  it('keeps its refresh token, and gets tokens that are bound to the certificate', async () => {
    const { refresh_token } = await begin({ client, certificate })
    for (let times = 0; times < 3; times++) {
      const answer = await refresh(refresh_token, { client, certificate })
      expect(answer.json.refresh_token).toBeUndefined()
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    }
  })

  it('[T75] goes on with a certificate that was renewed with its key', async () => {
    const { refresh_token } = await begin({ client, certificate })
    const answer = await refresh(refresh_token, { client, certificate: renewed })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': renewed.thumbprint })
  })

  it('[T74] [incident 2] is refused without it, and with another; the family stays', async () => {
    const { refresh_token, access_token } = await begin({ client, certificate })
    for (const sent of [{ client }, { client, certificate: other }]) {
      expect(await declined(server, refresh(refresh_token, sent))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        reason: 'refresh_token_key_not_shown',
      })
    }
    expect(await introspected(server, access_token)).toMatchObject({ active: true })
    expect((await refresh(refresh_token, { client, certificate })).status).toBe(200)
  })

  it.each([
    ['alwaysEmitConfirmationClaim is off', { mutualTls: { alwaysEmitConfirmationClaim: false } }],
    ['alwaysEmitConfirmationClaim is on', {}],
  ])('[incident 2] stays refused without it while %s', async (_, changes) => {
    const { refresh_token } = await begin({ client, certificate })
    await server.restart(changes)
    expect(await declined(server, refresh(refresh_token, { client }))).toMatchObject({ error: 'invalid_grant' })
    await server.restart()
  })

  it('[incident 16] is refused with a bearer refresh by a client that is registered as bound', async () => {
    const { refresh_token } = await begin({ client: 'native-bound', certificate })
    expect(await declined(server, refresh(refresh_token, { client: 'native-bound' }))).toMatchObject({
      error: 'invalid_request',
      reason: 'certificate_required',
    })
  })
})

describe('RFC 9700 §4.14.2 a public client without a key', () => {
  const client = 'native'

  it('[RFC6749-6-3, RFC6749-10.4-4] gets a new refresh token each time, which works', async () => {
    let { refresh_token } = await begin({ client })
    const seen = new Set([refresh_token])
    for (let times = 0; times < 10; times++) {
      const answer = await refresh(refresh_token, { client })
      expect(answer.status).toBe(200)
      refresh_token = answer.json.refresh_token
      seen.add(refresh_token)
    }
    expect(seen.size).toBe(11)
  })

  it('[RFC6749-10.4-1] [T66] loses the family when a replaced one is shown again', async () => {
    const begun = await begin({ client })
    const next = (await refresh(begun.refresh_token, { client })).json
    server.advance(2)
    expect(await declined(server, refresh(begun.refresh_token, { client }))).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      reason: 'refresh_token_replayed',
    })
    expect(server.reports).toContainEqual({
      level: 'warn',
      event: 'authorization_revoked',
      client,
      reason: 'refresh_token_replayed',
    })
    for (const { access_token } of [begun, next])
      expect(await introspected(server, access_token)).toEqual({ active: false })
    expect(await declined(server, refresh(next.refresh_token, { client }))).toMatchObject({ error: 'invalid_grant' })
  })

  it('loses nothing when it comes late by a second', async () => {
    const begun = await begin({ client })
    const next = (await refresh(begun.refresh_token, { client })).json
    server.advance(1)
    expect(await declined(server, refresh(begun.refresh_token, { client }))).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_used',
    })
    expect((await refresh(next.refresh_token, { client })).status).toBe(200)
  })

  it('[T67] [incident 36] gets exactly one new pair of 64 refreshes at once, which works', async () => {
    const { refresh_token } = await begin({ client })
    const answers = await Promise.all(Array.from({ length: 64 }, () => refresh(refresh_token, { client })))
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    expect((await refresh(won[0]?.json.refresh_token, { client })).status).toBe(200)
  })

  it('[incident 37] has only the newest of ten that were made within one second', async () => {
    const tokens = [(await begin({ client })).refresh_token]
    for (let times = 0; times < 10; times++)
      tokens.push((await refresh(tokens.at(-1) ?? '', { client })).json.refresh_token)
    for (const old of tokens.slice(0, -1)) expect((await refresh(old, { client })).json.error).toBe('invalid_grant')
    expect((await refresh(tokens.at(-1) ?? '', { client })).status).toBe(200)
  })

  it('[T108] may begin to be bound: then so is all that follows', async () => {
    const { refresh_token } = await begin({ client })
    const answer = await refresh(refresh_token, { client, certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    const bound = answer.json.refresh_token
    expect(await declined(server, refresh(bound, { client }))).toMatchObject({ reason: 'refresh_token_key_not_shown' })
    expect((await refresh(bound, { client, certificate })).status).toBe(200)
  })

  it('does not live longer by being replaced', async () => {
    const begun = await begin({ client })
    server.advance(2_592_000 - 1)
    const { refresh_token } = (await refresh(begun.refresh_token, { client })).json
    server.advance(1)
    expect((await refresh(refresh_token, { client })).json.error).toBe('invalid_grant')
  })
})

describe('[T69] what changes in between', () => {
  const refused = async (changes: Parameters<Harness['restart']>[0], sent: Asked = {}) => {
    const { refresh_token, access_token } = await begin(sent)
    await server.restart(changes)
    const answer = await declined(server, refresh(refresh_token, sent))
    const introspection = await introspected(server, access_token)
    await server.restart()
    return { error: answer.error, reason: answer.reason, active: introspection.active }
  }
  const clientsWith = (id: string, change: object) =>
    [...baseClients, ...peopleClients].map((client) => (client.client_id === id ? { ...client, ...change } : client))

  it('refuses when the person is disabled, whose tokens are inactive', async () => {
    const directory = [{ username: 'alice', password: 'alice', subject: 'user:alice', disabled: true }]
    expect(await refused({ people: { directory } })).toEqual({
      error: 'invalid_grant',
      reason: 'person_gone',
      active: false,
    })
  })

  it('refuses when the person is gone', async () => {
    expect(await refused({ people: { directory: [] } })).toMatchObject({ error: 'invalid_grant', active: false })
  })

  it('refuses when a public client has become confidential, or the other way round', async () => {
    const confidential = { token_endpoint_auth_method: undefined, client_secret: 'secret' }
    const begun = await begin({ client: 'native' })
    await server.restart({ clients: clientsWith('native', confidential) })
    const asked = redeem(
      server,
      { grant_type: 'refresh_token', refresh_token: begun.refresh_token, client_secret: 'secret' },
      { client: 'native' },
    )
    expect(await declined(server, asked)).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_of_another_kind',
    })
    await server.restart()

    const { refresh_token } = await begin()
    await server.restart({
      clients: clientsWith('web', { token_endpoint_auth_method: 'none', client_secret: undefined }),
    })
    const open = server.post('/token', { grant_type: 'refresh_token', refresh_token, client_id: 'web' })
    expect(await declined(server, open)).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_of_another_kind',
    })
    await server.restart()
  })

  it('refuses a client that may not refresh any more', async () => {
    const changes = { clients: clientsWith('web', { grant_types: ['authorization_code'] }) }
    expect(await refused(changes)).toMatchObject({ error: 'unauthorized_client', reason: 'grant_type_not_allowed' })
  })

  it('gives no scope that the client may not have any more', async () => {
    const { refresh_token } = await begin({}, { scope: 'openid email offline_access api1' })
    await server.restart({ clients: clientsWith('web', { scope: 'openid offline_access api1' }) })
    expect((await refresh(refresh_token)).json.scope).toBe('openid offline_access api1')
    await server.restart()
  })
})

describe('RFC 7009 revoking', () => {
  const revoke = (token: string, client = 'web', form = {}) =>
    server.post('/revoke', {
      client_id: client,
      ...(client === 'native' ? {} : { client_secret: 'secret' }),
      token,
      ...form,
    })

  it('[RFC7009-2.1] a refresh token ends its family', async () => {
    const begun = await begin()
    const next = (await refresh(begun.refresh_token)).json
    expect((await revoke(begun.refresh_token)).status).toBe(200)
    expect(await declined(server, refresh(begun.refresh_token))).toMatchObject({ error: 'invalid_grant' })
    for (const { access_token } of [begun, next])
      expect(await introspected(server, access_token)).toEqual({ active: false })
  })

  it('[RFC7009-2.1] a refresh token ends reference tokens too', async () => {
    const begun = await begin({ client: 'web-reference' })
    await revoke(begun.refresh_token, 'web-reference')
    expect(await introspected(server, begun.access_token)).toEqual({ active: false })
  })

  it('a replaced refresh token ends its family', async () => {
    const begun = await begin({ client: 'native' })
    const next = (await refresh(begun.refresh_token, { client: 'native' })).json
    expect((await revoke(begun.refresh_token, 'native')).status).toBe(200)
    expect(await declined(server, refresh(next.refresh_token, { client: 'native' }))).toMatchObject({
      error: 'invalid_grant',
    })
  })

  it('a bound refresh token needs no proof', async () => {
    const begun = await begin({ client: 'native', certificate })
    expect((await revoke(begun.refresh_token, 'native')).status).toBe(200)
    expect(await introspected(server, begun.access_token)).toEqual({ active: false })
  })

  it('an access token ends that token only', async () => {
    const begun = await begin()
    expect((await revoke(begun.access_token)).status).toBe(200)
    expect(await introspected(server, begun.access_token)).toEqual({ active: false })
    const next = await refresh(begun.refresh_token)
    expect(await introspected(server, next.json.access_token)).toMatchObject({ active: true })
  })

  it('is refused for the refresh token of another client, which stays', async () => {
    const { refresh_token } = await begin()
    expect(await declined(server, revoke(refresh_token, 'web-reference'))).toMatchObject({
      reason: 'token_of_another_client',
    })
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  it('[incident 38] leaves nothing active, whatever was under way', async () => {
    const begun = await begin()
    const [answers] = await Promise.all([
      Promise.all(Array.from({ length: 16 }, () => refresh(begun.refresh_token))),
      revoke(begun.refresh_token),
    ])
    const tokens = [begun, ...answers.map(({ json }) => json)].flatMap(({ access_token }) => access_token ?? [])
    for (const token of tokens) expect(await introspected(server, token)).toEqual({ active: false })
  })
})

describe('RFC 7662 §4 introspection', () => {
  it('[I06] says nothing of a refresh token, to an API or to its own client', async () => {
    const { refresh_token } = await begin()
    expect(await introspected(server, refresh_token)).toEqual({ active: false })
    const own = await server.post('/introspect', { client_id: 'web', client_secret: 'secret', token: refresh_token })
    expect(own.json).toEqual({ active: false })
  })
})
