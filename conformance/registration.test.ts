import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createCertificateAuthority, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, api, declined, type Harness, rowsOf, type Sent, startServer } from './harness.ts'

const initial = 'the-token-that-the-operator-gave'
const redirect = 'https://app.test/callback'

let server: Harness
let closed: Harness

beforeAll(async () => {
  const authority = await createCertificateAuthority({ name: 'Partners', keyType: 'P-256' })
  server = await startServer((settings) => ({
    ...settings,
    mutualTls: { trustGroups: { partners: { ca: authority.certificate } } },
    authorizationDetails: { payment: {} },
    registration: { initialAccessTokens: [hashOf(initial)], scopes: ['api1'], trustGroup: 'partners' },
  }))
  closed = await startServer()
})
afterAll(() => Promise.all([server.close(), closed.close()]))

const valid = { redirect_uris: [redirect], client_name: 'Notes' }

describe('RFC 7591 §3 registering a client', () => {
  it('[RFC7591-2-1, RFC7591-2-2, RFC7591-2-6, RFC7591-3.1-1, RFC7591-3.2.1-1, RFC7591-3.2.1-4, RFC7592-5-2, RFC7592-B-1] answers with all that was registered, and a secret', async () => {
    const { status, headers, json } = await register(valid)
    expect({ status, type: headers['content-type'], cache: headers['cache-control'] }).toEqual({
      status: 201,
      type: 'application/json',
      cache: 'no-store',
    })
    expect(json).toMatchObject({
      ...valid,
      client_id: expect.stringMatching(/^[\w-]{43}$/),
      client_secret: expect.stringMatching(/^[\w-]{43}$/),
      client_secret_expires_at: 0,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      scope: 'openid profile email address phone offline_access api1',
      tls_client_certificate_bound_access_tokens: false,
      registration_access_token: expect.stringMatching(/^[\w-]{43}$/),
    })
    expect(json.registration_client_uri).toBe(`${server.issuer}/register?client_id=${json.client_id}`)
  })

  it('[RFC7591-3.2.1-3] [RFC7591-3.2.1-2] gives no two clients the same id', async () => {
    const [first, second] = [await register(valid), await register(valid)]
    expect(first.json.client_id).not.toBe(second.json.client_id)
    expect(first.json.client_secret).not.toBe(second.json.client_secret)
  })

  it('[RFC7591-2-7] lets the registered client get tokens with its secret', async () => {
    const { json } = await register({
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
    })
    expect(json).toMatchObject({ response_types: [], redirect_uris: [] })
    expect((await server.token({ client_id: json.client_id, client_secret: json.client_secret })).status).toBe(200)
  })

  it('[RFC7591-2-3] ignores members that it does not know, and those that only the operator sets', async () => {
    const { status, json } = await register({
      ...valid,
      client_id: 'client',
      client_secret: 'chosen',
      client_secret_hash: hashOf('chosen'),
      consent: 'skip',
      introspects: [api],
      trust_group: 'partners',
      access_token_lifetime: 86_400,
      registration_access_token_hash: hashOf('chosen').slice(7),
      logo_uri: 'https://app.test/logo.png',
      ['__proto__']: { disabled: true },
      surprise: true,
    })
    expect(status).toBe(201)
    expect(json.client_id).not.toBe('client')
    expect(json.client_secret).not.toBe('chosen')
    expect(json).not.toHaveProperty('surprise')
    expect(stored(json.client_id)).toMatchObject({ consent: 'ask', introspects: [] })
    for (const member of ['trust_group', 'access_token_lifetime', 'logo_uri', 'surprise'])
      expect(stored(json.client_id)).not.toHaveProperty(member)
  })

  it('takes a member that is null as left out', async () => {
    const { status, json } = await register({ ...valid, client_name: null, jwks_uri: null })
    expect({ status, name: json.client_name }).toEqual({ status: 201, name: undefined })
  })

  it('stores neither the secret nor the token, but their hashes', async () => {
    const { json } = await register(valid)
    const record = JSON.stringify(stored(json.client_id))
    expect(record).not.toContain(json.client_secret)
    expect(record).not.toContain(json.registration_access_token)
    expect(record).toContain(hashOf(json.client_secret))
  })

  const pinned = createClientCertificate({ name: 'pinned', keyType: 'P-256' })
  const good: readonly [name: string, metadata: () => object | Promise<object>][] = [
    [
      'a public client that is bound to its certificate',
      () => ({ ...valid, token_endpoint_auth_method: 'none', tls_client_certificate_bound_access_tokens: true }),
    ],
    [
      'a client with a certificate of the trust group',
      () => ({ ...valid, token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'app.test' }),
    ],
    [
      'a client with a certificate of its own',
      async () => ({
        ...valid,
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [x5cOf((await pinned).certificate)] },
      }),
    ],
    [
      'a client that signs',
      () => ({
        ...valid,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [publicKey()] },
      }),
    ],
    [
      'a native client',
      () => ({
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/cb', 'com.example.app:/cb'],
      }),
    ],
    [
      'a client that asks with typed details',
      () => ({ ...valid, authorization_details_types: ['payment'], subject_type: 'pairwise' }),
    ],
  ]
  it.each(good)('[RFC8705-2.1.2-1] registers %s', async (_, metadata) => {
    const asked = await metadata()
    const { status, json } = await register(asked)
    expect(json).toMatchObject(asked)
    expect(status).toBe(201)
    expect('client_secret' in json).toBe(!('token_endpoint_auth_method' in asked))
  })

  const bad: readonly [name: string, change: () => object | Promise<object>, member: string][] = [
    [
      'an unknown authentication',
      () => ({ token_endpoint_auth_method: 'client_secret_jwt' }),
      'token_endpoint_auth_method',
    ],
    ['[RFC7591-2-7] an unknown grant', () => ({ grant_types: ['password'] }), 'grant_types'],
    [
      '[RFC7591-2.1-1] a response type without its grant',
      () => ({ grant_types: ['client_credentials'], response_types: ['code'] }),
      'response_types',
    ],
    ['the implicit response type', () => ({ response_types: ['token'] }), 'response_types'],
    ['a scope that is not open', () => ({ scope: 'openid admin' }), 'scope'],
    [
      'a type of details that is unknown',
      () => ({ authorization_details_types: ['other'] }),
      'authorization_details_types',
    ],
    ['an algorithm without a key', () => ({ id_token_signed_response_alg: 'EdDSA' }), 'id_token_signed_response_alg'],
    ['a subject without its method', () => ({ tls_client_auth_san_dns: 'app.test' }), 'tls_client_auth_san_dns'],
    [
      'a method without its subject',
      () => ({ token_endpoint_auth_method: 'tls_client_auth' }),
      'token_endpoint_auth_method',
    ],
    [
      'two subjects',
      () => ({
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'a.test',
        tls_client_auth_san_ip: '192.0.2.1',
      }),
      'token_endpoint_auth_method',
    ],
    ['a method without its keys', () => ({ token_endpoint_auth_method: 'private_key_jwt' }), 'jwks'],
    ['keys that nothing uses', () => ({ jwks: { keys: [publicKey()] } }), 'jwks'],
    ['a private key', () => signing({ ...publicKey(), d: publicKey().x }), 'jwks'],
    [
      'a private key beside a certificate of one',
      async () => ({
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [{ ...x5cOf((await pinned).certificate), d: publicKey().x }] },
      }),
      'jwks',
    ],
    ['a private key beside a certificate', () => signing({ ...publicKey(), x5c: ['AAAA'], d: publicKey().x }), 'jwks'],
    ['a symmetric key', () => signing({ kty: 'oct', k: 'c2VjcmV0' }), 'jwks'],
    [
      'a short RSA key',
      () => signing(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })),
      'jwks',
    ],
    ['two keys of one name', () => signing({ ...publicKey(), kid: '1' }, { ...publicKey(), kid: '1' }), 'jwks'],
    ['a thousand keys', () => signing(...Array.from({ length: 1000 }, () => ({ kty: 'EC' }))), 'jwks'],
    [
      'jwks_uri',
      () => ({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://app.test/jwks' }),
      'jwks_uri',
    ],
    ['request_uris', () => ({ request_uris: ['https://app.test/request'] }), 'request_uris'],
    ['sector_identifier_uri', () => ({ sector_identifier_uri: 'https://app.test/sector' }), 'sector_identifier_uri'],
    ['a name of ten kilobytes', () => ({ client_name: 'x'.repeat(10_000) }), 'client_name'],
    ['a number for a text', () => ({ client_name: 1 }), 'client_name'],
  ]
  it.each(bad)(
    '[RFC7591-2-4, RFC7591-3.2.2-1, RFC7591-5-4] refuses %s and names the member',
    async (_, change, member) => {
      const refused = await declined(server, register({ ...valid, ...(await change()) }))
      expect(refused).toMatchObject({
        status: 400,
        error: 'invalid_client_metadata',
        reason: 'client_metadata_invalid',
      })
      expect(refused.answer.json.error_description).toMatch(new RegExp(`^${member}: [\\x20-\\x7e]+$`))
    },
  )

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'https://*.app.test/callback',
    'https://app.test/callback#code',
    'https://app.test@evil.test/callback',
    '/callback',
    'http://app.test/callback',
    'com.example.app:/callback',
  ])('[RFC7591-5-1] refuses the redirect URI %s', async (uri) => {
    const refused = await declined(server, register({ redirect_uris: [redirect, uri] }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_redirect_uri', reason: 'redirect_uri_unacceptable' })
  })

  it('[RFC6749-3.1.2.2-1, RFC6749-10.2-2, RFC6749-10.6-2] [RFC7591-2-5] refuses authorization_code without a redirect URI', async () => {
    expect(await declined(server, register({ client_name: 'Notes' }))).toMatchObject({ error: 'invalid_redirect_uri' })
  })

  it('[RFC7591-2.3-1] refuses a software statement', async () => {
    const refused = await declined(server, register({ ...valid, software_statement: 'e30.e30.' }))
    expect(refused).toMatchObject({
      status: 400,
      error: 'unapproved_software_statement',
      reason: 'software_statement_unsupported',
    })
  })

  it.each([
    ['a form', 'client_name=x', 'application/x-www-form-urlencoded'],
    ['an array', '[]', 'application/json'],
    ['half an object', '{"client_name":', 'application/json'],
    ['what is not UTF-8', Buffer.from('{"client_name":"\xff"}', 'latin1'), 'application/json'],
    ['a deep object', `{"jwks":${'['.repeat(20)}${']'.repeat(20)}}`, 'application/json'],
  ])('[RFC7591-3.1-2] refuses %s', async (_, body, type) => {
    expect(
      await declined(server, register({}, { body, headers: { ...bearer(initial), 'content-type': type } })),
    ).toMatchObject({ status: 400, reason: 'body_not_json' })
  })

  it('takes JSON nowhere else', async () => {
    const sent = server.send({
      on: 'public',
      method: 'POST',
      path: '/token',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await declined(server, sent)).toMatchObject({ status: 400, reason: 'body_not_form' })
  })

  it.each([
    ['no token', {}, 'token_missing', undefined],
    ['another scheme', { authorization: 'Basic eDp5' }, 'token_scheme_unknown', undefined],
    ['a wrong token', bearer('wrong'), 'registration_token_wrong', 'invalid_token'],
    ['the hash of the token', bearer(hashOf(initial).slice(7)), 'registration_token_wrong', 'invalid_token'],
  ])('[RFC7591-3-1, RFC7591-3.2.2-2] refuses %s', async (_, headers, reason, error) => {
    const refused = await declined(server, register(valid, { headers }))
    expect(refused).toMatchObject({ status: 401, reason })
    const challenge = String(refused.answer.headers['www-authenticate'])
    expect(challenge).toMatch(/^Bearer realm="/)
    expect(/error="(\w+)"/.exec(challenge)?.[1]).toBe(error)
  })

  it('is advertised and there only where the settings open it', async () => {
    const metadataOf = async (harness: Harness) =>
      (await harness.send({ on: 'public', method: 'GET', path: '/.well-known/openid-configuration', headers: {} })).json
    expect(await metadataOf(server)).toMatchObject({
      registration_endpoint: `${server.issuer}/register`,
      mtls_endpoint_aliases: { registration_endpoint: `https://localhost:${server.mutualTlsPort}/register` },
    })
    expect(await metadataOf(closed)).not.toHaveProperty('registration_endpoint')
    expect((await metadataOf(closed)).mtls_endpoint_aliases).not.toHaveProperty('registration_endpoint')
    expect(await declined(closed, register(valid, {}, closed))).toMatchObject({ status: 404 })
  })
})

describe('RFC 7592 §2 managing a registration', () => {
  it('[RFC7592-2.1-1, RFC7592-2.1-2, RFC7592-3-1, RFC7592-3-2] reads it without the secret', async () => {
    const { json: made } = await register(valid)
    const { client_secret, client_secret_expires_at, ...shown } = made
    const { status, json } = await manage('GET', made)
    expect({ status, json }).toEqual({ status: 200, json: shown })
  })

  it('[RFC7592-2.2-1, RFC7592-2.2-2] replaces it: what is left out or null goes, the secret stays', async () => {
    const { json: made } = await register({ ...valid, require_pushed_authorization_requests: true })
    const change = { client_id: made.client_id, redirect_uris: ['https://app.test/new'], client_name: null }
    const { status, json } = await manage('PUT', made, change)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      redirect_uris: ['https://app.test/new'],
      require_pushed_authorization_requests: false,
    })
    expect(json).not.toHaveProperty('client_name')
    expect(json).not.toHaveProperty('client_secret')
    expect(stored(made.client_id)).toMatchObject({ client_secret_hash: hashOf(made.client_secret) })
    expect((await manage('GET', made)).json).toEqual(json)
  })

  it('[RFC7591-5-2] keeps what the operator has set', async () => {
    const { json: made } = await register(valid)
    await server.server.administration.administer('client-edit', {
      clientId: made.client_id,
      change: { consent: 'skip', access_token_lifetime: 60 },
    })
    await manage('PUT', made, { ...valid, client_id: made.client_id, consent: 'ask', access_token_lifetime: 600 })
    expect(stored(made.client_id)).toMatchObject({ consent: 'skip', access_token_lifetime: 60 })
  })

  it('takes the secret away, and makes a new one, as the method goes and comes', async () => {
    const { json: made } = await register(valid)
    const without = { ...valid, client_id: made.client_id, token_endpoint_auth_method: 'none' }
    expect((await manage('PUT', made, without)).json).not.toHaveProperty('client_secret')
    expect(stored(made.client_id)).not.toHaveProperty('client_secret_hash')
    const { json } = await manage('PUT', made, { ...valid, client_id: made.client_id })
    expect(json.client_secret).not.toBe(made.client_secret)
    expect(stored(made.client_id)).toMatchObject({ client_secret_hash: hashOf(json.client_secret) })
  })

  it('[RFC7592-2.2-3] takes the secret that was issued, and no other', async () => {
    const { json: made } = await register(valid)
    const { client_id, client_secret } = made
    expect((await manage('PUT', made, { ...valid, client_id, client_secret })).status).toBe(200)
    const refused = await declined(server, manage('PUT', made, { ...valid, client_id, client_secret: 'chosen' }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_client_metadata' })
  })

  it.each([
    ['[RFC7592-2.2-4] without client_id', {}],
    ['[RFC7592-2.2-4] with another client_id', { client_id: 'client' }],
    ['[RFC7592-2.2-5] with the registration access token', { registration_access_token: 'x' }],
    ['[RFC7592-2.2-5] with the address of the registration', { registration_client_uri: 'https://app.test/' }],
    ['[RFC7592-2.2-5] with the end of the secret', { client_secret_expires_at: 0 }],
    ['[RFC7592-2.2-5] with the time of the registration', { client_id_issued_at: 0 }],
    ['[RFC7592-2.2-6] with metadata that does not fit', { token_endpoint_auth_method: 'tls_client_auth' }],
  ])('refuses a change %s', async (_, change) => {
    const { json: made } = await register(valid)
    const body = { ...valid, ...(Object.keys(change).length > 0 && { client_id: made.client_id }), ...change }
    expect(await declined(server, manage('PUT', made, body))).toMatchObject({
      status: 400,
      error: 'invalid_client_metadata',
    })
    expect((await manage('GET', made)).json.client_name).toBe('Notes')
  })

  it('[RFC7592-2.3-1, RFC7592-2.3-2, RFC7592-2.3-3] deletes it, and with it all that it got', async () => {
    const { json: made } = await register({
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
    })
    const { client_id, client_secret } = made
    const { access_token: token } = (await server.token({ client_id, client_secret })).json
    const ask = async () =>
      (await server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })).json.active
    expect(await ask()).toBe(true)
    const before = rowsOf(server)
    expect(await manage('DELETE', made)).toMatchObject({ status: 204, text: '' })
    expect(rowsOf(server)).toBeLessThan(before)
    expect(await ask()).toBe(false)
    expect((await server.token({ client_id, client_secret })).json.error).toBe('invalid_client')
    expect(await declined(server, manage('GET', made))).toMatchObject({ status: 401, error: 'invalid_token' })
  })

  it.each(['GET', 'PUT', 'DELETE'])(
    '[RFC7592-2-3, RFC7592-B-2] [RFC7592-2-1] refuses %s with the token of another client, as for one that is not there',
    async (method) => {
      const [{ json: mine }, { json: other }] = [await register(valid), await register(valid)]
      const asked = { ...mine, registration_access_token: other.registration_access_token }
      const refused = await declined(
        server,
        manage(method, asked, method === 'PUT' ? { ...valid, client_id: mine.client_id } : undefined),
      )
      expect(refused).toMatchObject({ status: 401, error: 'invalid_token', reason: 'registration_token_wrong' })
      const nobody = { ...other, registration_client_uri: `${server.issuer}/register?client_id=nobody` }
      const unknown = await declined(server, manage(method, nobody, method === 'PUT' ? {} : undefined))
      expect(unknown.answer.text).toBe(refused.answer.text)
      expect((await manage('GET', mine)).status).toBe(200)
    },
  )

  it('[RFC7592-2-4] answers any other method with 405', async () => {
    const { json: made } = await register(valid)
    const answer = await manage('PATCH', made)
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST, GET, HEAD, PUT, DELETE'])
    expect((await manage('GET', made)).status).toBe(200)
  })

  it('gives no hold on a client of the operator, and none with the initial access token', async () => {
    for (const token of ['', initial, 'secret'].filter((each) => each !== '')) {
      const asked = {
        registration_client_uri: `${server.issuer}/register?client_id=client`,
        registration_access_token: token,
      }
      expect(await declined(server, manage('GET', asked))).toMatchObject({ reason: 'registration_token_wrong' })
    }
  })

  it('gives a disabled client no hold on itself', async () => {
    const { json: made } = await register(valid)
    await server.server.administration.administer('client-edit', {
      clientId: made.client_id,
      change: { disabled: true },
    })
    expect(await declined(server, manage('PUT', made, { ...valid, client_id: made.client_id }))).toMatchObject({
      reason: 'registration_token_wrong',
    })
  })

  it('is not shown the hash of the token by the operator’s commands', async () => {
    const { json: made } = await register(valid)
    const { client } = await server.server.administration.administer('client-show', { clientId: made.client_id })
    expect(client).not.toHaveProperty('registration_access_token_hash')
  })
})

describe('limits of registration', () => {
  it('answers twenty wrong tokens from an address, and not the next', async () => {
    for (let n = 0; n < 20; n++)
      expect((await register(valid, { from: '127.0.0.9', headers: bearer('wrong') })).status).toBe(401)
    expect(await declined(server, register(valid, { from: '127.0.0.9' }))).toMatchObject({
      status: 429,
      reason: 'client_attempts_exhausted',
    })
    expect((await register(valid)).status).toBe(201)
  })

  it('registers a hundred clients in an hour from an address, and not the next', async () => {
    const from = '127.0.0.8'
    for (let n = 0; n < 100; n++) expect((await register(valid, { from })).status).toBe(201)
    expect(await declined(server, register(valid, { from }))).toMatchObject({
      status: 429,
      reason: 'registrations_exhausted',
    })
  })

  it('lets a client change a hundred times in an hour, and another one all the same', async () => {
    const [{ json: made }, { json: other }] = [await register(valid), await register(valid)]
    const change = ({ client_id }: typeof made) => ({ ...valid, client_id })
    for (let n = 0; n < 100; n++) expect((await manage('PUT', made, change(made))).status).toBe(200)
    expect(await declined(server, manage('PUT', made, change(made)))).toMatchObject({
      status: 429,
      reason: 'registrations_exhausted',
    })
    expect((await manage('GET', made)).status).toBe(200)
    expect((await manage('PUT', other, change(other))).status).toBe(200)
  })
})

function hashOf(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('base64url')}`
}

function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` }
}

function register(metadata: object, sent: Partial<Sent> = {}, harness = server): Promise<Answer> {
  return harness.send({
    on: 'public',
    method: 'POST',
    path: '/register',
    body: JSON.stringify(metadata),
    ...sent,
    headers: { 'content-type': 'application/json', ...(sent.headers ?? bearer(initial)) },
  })
}

function manage(
  method: string,
  {
    registration_client_uri,
    registration_access_token,
  }: { registration_client_uri: string; registration_access_token: string },
  body?: object,
): Promise<Answer> {
  const { pathname, search } = new URL(registration_client_uri)
  return server.send({
    on: 'public',
    method,
    path: `${pathname}${search}`,
    headers: { ...bearer(registration_access_token), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
}

/** What the store holds of a client. */
function stored(clientId: string): object {
  const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { readOnly: true })
  try {
    return JSON.parse(
      String(database.prepare('select registration from client where client_id = ?').get(clientId)?.registration),
    )
  } finally {
    database.close()
  }
}

function publicKey(): { kty: string; x: string } {
  const { x = '', ...key } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  return { ...key, kty: 'EC', x }
}

function signing(...keys: readonly object[]): object {
  return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
}

function x5cOf(pem: string): object {
  const { raw, publicKey: key } = new X509Certificate(pem)
  return { ...key.export({ format: 'jwk' }), x5c: [raw.toString('base64')] }
}
