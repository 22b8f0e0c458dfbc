import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Allowed, alice, allow, redeem, startPeopleServer } from './authorized.ts'
import { type Answer, claimsOf, declined, type Harness, type Sent } from './harness.ts'

let server: Harness
let certificate: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
  other = await createClientCertificate({ name: 'thief', keyType: 'P-256' })
})
afterAll(() => server.close())

type Asked = Partial<Sent> & { readonly client?: string }

async function tokensFor(allowed: Partial<Allowed> = {}, sent: Asked = {}): Promise<Answer['json']> {
  const { form } = allow(server, { client: sent.client ?? 'web', ...allowed })
  return (await redeem(server, form, sent)).json
}

const userinfo = (token: string | undefined, sent: Partial<Sent> = {}) =>
  server.send({
    on: sent.certificate ? 'mutualTls' : 'public',
    method: 'GET',
    path: '/userinfo',
    ...sent,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...sent.headers },
  })

describe('OpenID Connect Core §5.3 UserInfo', () => {
  it('[OIDC.Core-5.3.2] answers the subject of the ID token', async () => {
    const { access_token, id_token } = await tokensFor({ scope: 'openid api1' })
    const answer = await userinfo(access_token)
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(answer.json).toEqual({ sub: claimsOf(id_token).sub })
  })

  it('[OIDC.Core-5.4] answers what the scopes open, and no more', async () => {
    const { access_token } = await tokensFor({ scope: 'openid email address' })
    const { email, email_verified, address } = alice
    expect((await userinfo(access_token)).json).toEqual({ sub: alice.subject, email, email_verified, address })
  })

  it('[OIDC.Core-5.3.1] takes the token by POST: in the header, or in the form', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    const byHeader = userinfo(access_token, { method: 'POST' })
    const byForm = server.post('/userinfo', { access_token })
    for (const answer of [await byHeader, await byForm]) expect(answer.json).toEqual({ sub: alice.subject })
  })

  it('takes reference tokens', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' }, { client: 'web-reference' })
    expect((await userinfo(access_token)).json).toEqual({ sub: alice.subject })
  })

  it('[OIDC.Core-8] answers the subject that the client knows', async () => {
    const { access_token, id_token } = await tokensFor({ scope: 'openid' }, { client: 'pairwise' })
    expect((await userinfo(access_token)).json).toEqual({ sub: claimsOf(id_token).sub })
    expect(claimsOf(id_token).sub).not.toBe(alice.subject)
  })
})

describe('RFC 6750 §3 what UserInfo declines', () => {
  it('[RFC6750-3.1] names no error to who brings no token', async () => {
    const refused = await declined(server, userinfo(undefined))
    expect(refused).toMatchObject({ status: 401, reason: 'token_missing' })
    const challenges = refused.answer.headers['www-authenticate']
    expect(challenges).toMatch(/^Bearer realm="[^"]*", DPoP [^"]/)
    expect(challenges).not.toContain('error')
  })

  it.each([
    ['a text that is no token', (): string => 'nonsense', 401, 'invalid_token', 'token_inactive'],
    ['an altered token', async () => `${(await tokensFor()).access_token}A`, 401, 'invalid_token', 'token_inactive'],
    ['[OIDC.Core-2] an ID token', async () => (await tokensFor()).id_token, 401, 'invalid_token', 'token_inactive'],
    ['a refresh token', async () => (await tokensFor()).refresh_token, 401, 'invalid_token', 'token_inactive'],
    ['a code', () => allow(server).code, 401, 'invalid_token', 'token_inactive'],
    [
      'a token without openid',
      async () => (await tokensFor({ scope: 'api1' })).access_token,
      403,
      'insufficient_scope',
      'scope_insufficient',
    ],
    [
      'a token of a client that acts for itself',
      async () => (await server.token()).json.access_token,
      403,
      'insufficient_scope',
      'scope_insufficient',
    ],
  ] as const)('refuses %s', async (_, find, status, error, reason) => {
    const refused = await declined(server, userinfo(await find()))
    expect(refused).toMatchObject({ status, error, reason })
    expect(refused.answer.headers['www-authenticate']).toContain(`error="${error}"`)
  })

  it('[RFC6750-2.3] refuses a token in the query', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    const asked = userinfo(undefined, { path: `/userinfo?access_token=${access_token}` })
    expect(await declined(server, asked)).toMatchObject({ status: 400, reason: 'token_in_query' })
  })

  it('[RFC6750-2] refuses a token in two places', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    const asked = server.post('/userinfo', { access_token }, { headers: { authorization: `Bearer ${access_token}` } })
    expect(await declined(server, asked)).toMatchObject({ status: 400, reason: 'token_repeated' })
  })

  it('refuses another scheme', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    const asked = userinfo(undefined, { headers: { authorization: `Token ${access_token}` } })
    expect(await declined(server, asked)).toMatchObject({ status: 401, reason: 'token_scheme_unknown' })
  })

  it('takes a token in its last second, and refuses it in the next', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    server.advance(3599)
    expect((await userinfo(access_token)).status).toBe(200)
    server.advance(1)
    expect(await declined(server, userinfo(access_token))).toMatchObject({ error: 'invalid_token' })
  })

  it('refuses a revoked token', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    await server.post('/revoke', { client_id: 'web', client_secret: 'secret', token: access_token })
    expect(await declined(server, userinfo(access_token))).toMatchObject({ status: 401, error: 'invalid_token' })
  })

  it('refuses the tokens of somebody who was disabled', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    await server.restart({ people: { directory: [{ ...alice, disabled: true }] } })
    expect(await declined(server, userinfo(access_token))).toMatchObject({ status: 401, error: 'invalid_token' })
    await server.restart()
  })
})

describe('[incident 1] [incident 15] a bound token', () => {
  const bound = async (client = 'web') =>
    (await tokensFor({ scope: 'openid', client }, { client, certificate })).access_token

  it('[RFC8705-3] is taken with its certificate', async () => {
    for (const client of ['web', 'web-reference', 'native'])
      expect((await userinfo(await bound(client), { certificate })).json).toEqual({ sub: alice.subject })
  })

  it('[RFC8705-3] is refused without it', async () => {
    for (const client of ['web', 'web-reference', 'native']) {
      const refused = await declined(server, userinfo(await bound(client)))
      expect(refused).toMatchObject({ status: 401, error: 'invalid_token', reason: 'confirmation_certificate_missing' })
      expect(refused.answer.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/)
    }
  })

  it('is refused by POST without it, in header and form', async () => {
    const access_token = await bound()
    for (const asked of [userinfo(access_token, { method: 'POST' }), server.post('/userinfo', { access_token })])
      expect(await declined(server, asked)).toMatchObject({ reason: 'confirmation_certificate_missing' })
  })

  it('[RFC8705-3] is refused with another certificate, also one of the same key', async () => {
    const renewed = await createClientCertificate({ name: 'phone', keyType: 'P-256', key: certificate.key })
    const access_token = await bound()
    for (const shown of [other, renewed])
      expect(await declined(server, userinfo(access_token, { certificate: shown }))).toMatchObject({
        status: 401,
        error: 'invalid_token',
        reason: 'confirmation_certificate_differs',
      })
  })

  it('lets nobody notice a certificate when the token is unbound', async () => {
    const { access_token } = await tokensFor({ scope: 'openid' })
    expect((await userinfo(access_token, { certificate: other })).status).toBe(200)
  })
})

describe('OpenID Connect Discovery §3 what the metadata says', () => {
  it('[OIDC.Discovery-3] names UserInfo, scopes, claims and subjects', async () => {
    const path = '/.well-known/openid-configuration'
    const { json } = await server.send({ on: 'public', method: 'GET', path, headers: {} })
    expect(json.userinfo_endpoint).toBe(`${server.issuer}/userinfo`)
    expect(json.mtls_endpoint_aliases.userinfo_endpoint).toBe(`https://localhost:${server.mutualTlsPort}/userinfo`)
    expect(json.scopes_supported).toEqual([
      'openid',
      'profile',
      'email',
      'address',
      'phone',
      'offline_access',
      'api1',
      'api2',
    ])
    expect(json.claims_supported).toEqual(
      expect.arrayContaining(['sub', 'name', 'email', 'auth_time', 'acr', 'amr', 'sid']),
    )
    expect(json.subject_types_supported).toEqual(['public', 'pairwise'])
    expect(json.id_token_signing_alg_values_supported).toEqual(['ES256', 'RS256'])
  })
})
