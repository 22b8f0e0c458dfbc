import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Allowed, allow, api, callback, introspected, otherApi, redeem, startPeopleServer } from './authorized.ts'
import { claimsOf, declined, type Harness, type Sent } from './harness.ts'

const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

let server: Harness
let certificate: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  const exchanges = { client_secret: 'secret', grant_types: [grant_type], scope: 'openid api1 api2 shared' } as const
  server = await startPeopleServer((settings) => ({
    ...settings,
    apis: settings.apis.map((each) => ({ ...each, scopes: [...(each.scopes ?? []), 'shared'] })),
    clients: [
      ...(settings.clients ?? []),
      { ...exchanges, client_id: 'gateway', introspects: [api] },
      { ...exchanges, client_id: 'gateway-reference', introspects: [api], access_token_format: 'reference' },
      { ...exchanges, client_id: 'stranger' },
      { ...exchanges, client_id: 'web-shared', grant_types: ['authorization_code'], redirect_uris: [callback] },
      { ...exchanges, client_id: 'narrow', introspects: [api], scope: 'api2' },
      { ...exchanges, client_id: 'own', grant_types: [grant_type, 'client_credentials'] },
      { ...exchanges, client_id: 'slow', introspects: [api], access_token_lifetime: 80_000 },
      {
        client_id: 'native-exchange',
        token_endpoint_auth_method: 'none',
        grant_types: [grant_type],
        scope: 'api1',
        introspects: [api],
      },
    ],
  }))
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256', days: 3650 })
  other = await createClientCertificate({ name: 'gateway', keyType: 'P-256', days: 3650 })
})
afterAll(() => server.close())

type Asked = Partial<Sent> & { readonly client?: string }

/** A token of a person for both APIs. */
async function subjectToken(sent: Asked = {}, allowed: Partial<Allowed> = {}): Promise<string> {
  const { form } = allow(server, { client: sent.client ?? 'web', scope: 'openid api1 api2', ...allowed })
  return (await redeem(server, form, sent)).json.access_token
}

const exchange = (subject_token: string, sent: Asked = {}, form: Readonly<Record<string, string | undefined>> = {}) =>
  redeem(
    server,
    { grant_type, subject_token, subject_token_type: accessTokenType, ...form },
    { client: 'gateway', ...sent },
  )

describe('RFC 8693 exchanging an access token', () => {
  it('[RFC8693-2.2.1-1, RFC8693-2.2.1-2, RFC8693-4.3-1] gives an API in its audience another one, and records that it acts', async () => {
    const answer = await exchange(await subjectToken(), {}, { resource: otherApi })
    expect(answer.json).toMatchObject({
      issued_token_type: accessTokenType,
      token_type: 'Bearer',
      scope: 'openid api2',
    })
    expect(answer.json.refresh_token).toBeUndefined()
    expect(claimsOf(answer.json.access_token)).toMatchObject({
      sub: 'user:alice',
      client_id: 'gateway',
      aud: otherApi,
      act: { sub: 'gateway' },
    })
  })

  it('[RFC8693-2.1] takes the audience in the parameter of this name too', async () => {
    const answer = await exchange(await subjectToken(), {}, { audience: otherApi })
    expect(claimsOf(answer.json.access_token).aud).toBe(otherApi)
  })

  it('[RFC8693-2.1] takes several audiences', async () => {
    const answer = await server.post('/token', [
      ['client_id', 'gateway'],
      ['client_secret', 'secret'],
      ['grant_type', grant_type],
      ['subject_token', await subjectToken()],
      ['subject_token_type', accessTokenType],
      ['audience', api],
      ['audience', otherApi],
    ])
    expect(claimsOf(answer.json.access_token).aud).toEqual([api, otherApi])
  })

  it('takes a reference token', async () => {
    const answer = await exchange(await subjectToken({ client: 'web-reference' }))
    expect(claimsOf(answer.json.access_token)).toMatchObject({ sub: 'user:alice', act: { sub: 'gateway' } })
  })

  it('[RFC8693-4.2-1] lets a client narrow its own', async () => {
    const own = await server.token({ client_id: 'own', scope: 'api1 api2' })
    const answer = await exchange(own.json.access_token, { client: 'own' }, { scope: 'api1' })
    expect(claimsOf(answer.json.access_token)).toMatchObject({ sub: 'own', scope: 'api1', aud: api })
    const whole = await exchange(own.json.access_token, { client: 'own' })
    expect(claimsOf(whole.json.access_token).scope).toBe('api1 api2')
  })

  it('[RFC8693-4.1-1] keeps who acted before', async () => {
    const first = await exchange(await subjectToken())
    const second = await exchange(first.json.access_token)
    expect(claimsOf(second.json.access_token).act).toEqual({ sub: 'gateway', act: { sub: 'gateway' } })
    expect((await introspected(server, second.json.access_token)).act).toEqual({
      sub: 'gateway',
      act: { sub: 'gateway' },
    })
  })

  it.each(['gateway', 'gateway-reference'])('[RFC8693-4.1] keeps eight who acted, and not nine: %s', async (client) => {
    let token = await subjectToken()
    for (let actors = 0; actors < 8; actors++) token = (await exchange(token, { client })).json.access_token
    expect(await introspected(server, token)).toMatchObject({ active: true })
    expect(await declined(server, exchange(token, { client }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'actors_too_many',
    })
  })

  it('[RFC8693-5-2] never gives a token that lives longer', async () => {
    const subject_token = await subjectToken()
    server.advance(600)
    const { access_token, expires_in } = (await exchange(subject_token, { client: 'slow' })).json
    expect(expires_in).toBe(3000)
    expect(claimsOf(access_token).exp).toBe(claimsOf(subject_token).exp)
  })

  it.each([
    ['more scope than the token has', { scope: 'api2' }, 'invalid_scope', 'scope_unknown', 'openid api1'],
    ['an API outside the scope', { resource: otherApi }, 'invalid_target', 'resource_unknown', 'openid api1'],
    [
      '[RFC8693-2.2.2-2] an unknown audience',
      { audience: 'https://unknown.test' },
      'invalid_target',
      'resource_unknown',
      undefined,
    ],
    [
      '[RFC8693-2.1-6] a resource with a fragment',
      { resource: `${otherApi}#part` },
      'invalid_target',
      'resource_malformed',
      undefined,
    ],
    ['[RFC8693-2.1-6] a relative resource', { resource: '/api' }, 'invalid_target', 'resource_malformed', undefined],
    ['an audience that is no URI', { audience: 'unknown' }, 'invalid_target', 'resource_malformed', undefined],
  ])('never gives more: %s', async (_, wrong, error, reason, scope) => {
    const subject_token = await subjectToken({}, scope === undefined ? {} : { scope })
    expect(await declined(server, exchange(subject_token, {}, wrong))).toMatchObject({ status: 400, error, reason })
  })

  it('never gives more than the client is registered for', async () => {
    const answer = await exchange(await subjectToken(), { client: 'narrow' })
    expect(answer.json.scope).toBe('api2')
    const asked = exchange(await subjectToken(), { client: 'narrow' }, { scope: 'api1' })
    expect(await declined(server, asked)).toMatchObject({ error: 'invalid_scope' })
  })

  it('[RFC8707-2] never goes where the person did not allow, though the scope would do there too', async () => {
    const token = await subjectToken({ client: 'web-shared' }, { scope: 'openid shared', resources: [api] })
    const asked = exchange(token, {}, { resource: otherApi })
    expect(await declined(server, asked)).toMatchObject({ error: 'invalid_target', reason: 'resource_unknown' })
    expect(claimsOf((await exchange(token)).json.access_token).aud).toBe(api)
    const free = await subjectToken({ client: 'web-shared' }, { scope: 'openid shared' })
    expect(claimsOf((await exchange(free, {}, { resource: otherApi })).json.access_token).aud).toBe(otherApi)
  })

  it('ends with the authorization that it follows from', async () => {
    const { form } = allow(server, { scope: 'openid offline_access api1' })
    const { access_token, refresh_token } = (await redeem(server, form)).json
    const exchanged = (await exchange(access_token)).json.access_token
    expect(await introspected(server, exchanged)).toMatchObject({ active: true })
    await server.post('/revoke', { client_id: 'web', client_secret: 'secret', token: refresh_token })
    expect(await introspected(server, exchanged)).toEqual({ active: false })
  })
})

it('[RFC8693-2.2.1] what was given in exchange ends while the client is disabled that the person allowed', async () => {
  const { access_token } = (await exchange(await subjectToken({ client: 'web-shared' }))).json
  expect(await introspected(server, access_token)).toMatchObject({ active: true, client_id: 'gateway' })
  const clients = server.settings.clients ?? []
  const isDisabled = ({ client_id }: { client_id: string }) => client_id === 'web-shared'
  await server.restart({ clients: clients.map((each) => ({ ...each, disabled: isDisabled(each) })) })
  expect(await introspected(server, access_token)).toEqual({ active: false })
  await server.restart()
  expect(await introspected(server, access_token)).toMatchObject({ active: true })
})

describe('RFC 8693 §2.2.2 what is not exchanged', () => {
  it.each([
    ['[RFC8693-2.1-1] no token', { subject_token: undefined }, 'subject_token_missing'],
    ['no type', { subject_token_type: undefined }, 'subject_token_type'],
    [
      '[RFC8693-2.1-2] another type',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      'subject_token_type',
    ],
    [
      'another type wanted',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'requested_token_type',
    ],
    [
      '[RFC8693-2.1-5] an actor token',
      { actor_token: 'token', actor_token_type: accessTokenType },
      'actor_token_unsupported',
    ],
    [
      '[RFC8693-2.1-7] the type of an actor token alone',
      { actor_token_type: accessTokenType },
      'actor_token_unsupported',
    ],
    ['[RFC8693-2.2.2-1] a text that is no token', { subject_token: 'nonsense' }, 'subject_token_inactive'],
  ])('[RFC8693-2.2.2] %s', async (_, wrong, reason) => {
    const asked = exchange(await subjectToken(), {}, wrong)
    expect(await declined(server, asked)).toMatchObject({ status: 400, error: 'invalid_request', reason })
  })

  it('[RFC8693-2.1-4] a revoked token', async () => {
    const token = await subjectToken()
    await server.post('/revoke', { client_id: 'web', client_secret: 'secret', token })
    expect(await declined(server, exchange(token))).toMatchObject({ reason: 'subject_token_inactive' })
  })

  it('[RFC8693-2.2.2-1] a token for somebody else', async () => {
    const asked = exchange(await subjectToken(), { client: 'stranger' })
    expect(await declined(server, asked)).toMatchObject({
      error: 'invalid_request',
      reason: 'subject_token_not_for_client',
    })
  })

  it('[RFC8693-2.1-8] any token for a public client', async () => {
    const asked = exchange(await subjectToken(), { client: 'native-exchange' })
    expect(await declined(server, asked)).toMatchObject({
      error: 'unauthorized_client',
      reason: 'exchange_client_public',
    })
  })
})

describe('a bound token', () => {
  it('is exchanged by who shows its key, for one that is bound to it', async () => {
    const token = await subjectToken({ certificate })
    const answer = await exchange(token, { client: 'stranger', certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('is exchanged by an API in its audience, for one that is bound to the key of the API', async () => {
    const answer = await exchange(await subjectToken({ certificate }), { certificate: other })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': other.thumbprint })
  })

  it('is never exchanged for an unbound one', async () => {
    const token = await subjectToken({ certificate })
    for (const client of ['gateway', 'stranger'])
      expect(await declined(server, exchange(token, { client }))).toMatchObject({
        status: 400,
        error: 'invalid_request',
        reason: 'subject_token_key_not_shown',
      })
  })

  it('is not exchanged by who shows another key', async () => {
    const asked = exchange(await subjectToken({ certificate }), { client: 'stranger', certificate: other })
    expect(await declined(server, asked)).toMatchObject({ reason: 'subject_token_key_not_shown' })
  })
})
