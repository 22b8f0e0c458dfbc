import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { assertion, assertionType, basic, type Harness } from './harness.ts'
import { declinedPush, push, startVisits, validRequest, verifier, visitClients } from './visit.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })

let server: Harness

beforeAll(async () => {
  server = await startVisits((settings) => ({
    ...settings,
    clients: [
      ...visitClients,
      {
        client_id: 'asserting',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kty: 'EC' }] },
        grant_types: ['authorization_code'],
        redirect_uris: [validRequest.redirect_uri],
        scope: 'openid api1',
      },
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [{ kty: 'EC', x5c: [pinned.certificate.replace(/-----.*-----|\s/g, '')] }] },
        grant_types: ['authorization_code'],
        redirect_uris: [validRequest.redirect_uri],
        scope: 'openid api1',
      },
      {
        client_id: 'bound-native',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['http://127.0.0.1/cb'],
        scope: 'openid api1',
        consent: 'skip',
        tls_client_certificate_bound_access_tokens: true,
      },
    ],
  }))
})
afterAll(() => server.close())

const secret = { ...validRequest, client_secret: 'secret' }

describe('RFC 9126 §2 pushed authorization requests', () => {
  it('[RFC9126-2-1, RFC9126-2.2-1, RFC9101-5.2-3, RFC9101-10.2-3] gives a request_uri and its lifetime', async () => {
    const { status, json, headers } = await push(server)
    expect(status).toBe(201)
    expect(json).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{43}$/),
      expires_in: 90,
    })
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' })
  })

  it('[RFC9126-2.2-2, RFC9126-7.1-1, RFC9101-5.2.1-1, RFC9101-10.2-3] [P14] gives another one each time', async () => {
    const uris = await Promise.all(Array.from({ length: 32 }, async () => (await push(server)).json.request_uri))
    expect(new Set(uris).size).toBe(32)
  })

  it('[RFC9126-2-2, RFC9126-2-3] authenticates clients as the token endpoint does', async () => {
    const { client_id, ...rest } = validRequest
    expect((await server.post('/par', rest, { headers: basic(client_id, 'secret') })).status).toBe(201)
    const certified = { ...validRequest, client_id: 'pinned' }
    expect((await server.post('/par', certified, { certificate: pinned })).status).toBe(201)
    expect(await declinedPush(server, certified)).toMatchObject({ status: 401, reason: 'client_certificate_missing' })
    const client_assertion = assertion(key, 'asserting', server.issuer)
    const form = { ...validRequest, client_id: 'asserting', client_assertion_type: assertionType, client_assertion }
    expect((await server.post('/par', form)).status).toBe(201)
    expect(await declinedPush(server, form)).toMatchObject({ status: 401, reason: 'assertion_replayed' })
    const native = { ...validRequest, client_id: 'native', redirect_uri: 'http://127.0.0.1:51004/cb' }
    expect((await server.post('/par', native)).status).toBe(201)
  })

  it('uses no assertion up for a request that is refused', async () => {
    const client_assertion = assertion(key, 'asserting', server.issuer)
    const form = { ...validRequest, client_id: 'asserting', client_assertion_type: assertionType, client_assertion }
    expect(await declinedPush(server, { ...form, scope: 'unknown' })).toMatchObject({ reason: 'scope_unknown' })
    expect((await server.post('/par', form)).status).toBe(201)
  })

  it.each([
    ['no client', { client_id: undefined, client_secret: undefined }, 400, 'invalid_request', 'client_id_missing'],
    ['[RFC9101-10.2-2] a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 'client_secret_wrong'],
    ['no secret', { client_secret: undefined }, 401, 'invalid_client', 'client_credentials_missing'],
    [
      '[RFC9126-2.1-1] [P02] a request_uri',
      { request_uri: 'urn:ietf:params:oauth:request_uri:x' },
      400,
      'invalid_request',
      'request_uri_pushed',
    ],
    [
      '[RFC9126-2.1-2, RFC9126-2.3-1, RFC9126-7.2-1] [P04] another redirect URI',
      { redirect_uri: 'https://evil.test' },
      400,
      'invalid_request',
      'redirect_uri_unregistered',
    ],
    ['[P05] no response type', { response_type: undefined }, 400, 'invalid_request', 'response_type_missing'],
    ['[P05] token', { response_type: 'token' }, 400, 'unsupported_response_type', 'response_type_unsupported'],
    [
      '[P05] code token',
      { response_type: 'code token' },
      400,
      'unsupported_response_type',
      'response_type_unsupported',
    ],
    ['[P06] no challenge', { code_challenge: undefined }, 400, 'invalid_request', 'code_challenge_missing'],
    ['[P06] plain', { code_challenge_method: 'plain' }, 400, 'invalid_request', 'code_challenge_method'],
    ['[P06] an unknown method', { code_challenge_method: 'S512' }, 400, 'invalid_request', 'code_challenge_method'],
    [
      '[P07] a challenge of 42 characters',
      { code_challenge: 'A'.repeat(42) },
      400,
      'invalid_request',
      'code_challenge_malformed',
    ],
    ['[P07] of 129', { code_challenge: 'A'.repeat(129) }, 400, 'invalid_request', 'code_challenge_malformed'],
    [
      '[P07] of another alphabet',
      { code_challenge: `${'A'.repeat(42)}+` },
      400,
      'invalid_request',
      'code_challenge_malformed',
    ],
    ['a client without the grant', { client_id: 'machine' }, 400, 'unauthorized_client', 'authorization_not_allowed'],
    ['an unknown scope', { scope: 'unknown' }, 400, 'invalid_scope', 'scope_unknown'],
    ['an unknown resource', { resource: 'https://nobody.test' }, 400, 'invalid_target', 'resource_unknown'],
  ])('%s', async (_, form, status, error, reason) => {
    expect(await declinedPush(server, { ...secret, ...form })).toMatchObject({ status, error, reason })
  })

  it('takes no query, and nothing but POST', async () => {
    expect(await declinedPush(server, secret, { path: '/par?state=x' })).toMatchObject({ reason: 'parameter_in_query' })
    const got = await server.send({ on: 'public', method: 'GET', path: '/par', headers: {} })
    expect([got.status, got.headers.allow]).toEqual([405, 'POST'])
  })

  it('[RFC9126-5] lets clients that must push come', async () => {
    const { request_uri } = (await push(server, { client_id: 'pushes' })).json
    const page = await openBrowser(server).authorize({ client_id: 'pushes', request_uri })
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-in' } })
  })
})

describe('RFC 8705 §4 the code of a public client is bound by PAR', () => {
  const native = { client_id: 'bound-native', client_secret: undefined, redirect_uri: 'http://127.0.0.1:51004/cb' }

  async function codeFor(request_uri: string): Promise<string | undefined> {
    const browser = openBrowser(server)
    const page = await browser.authorize({ client_id: 'bound-native', request_uri })
    return (await browser.submit(page, { username: 'alice', password: 'alice' })).answer.code
  }

  it('to the public key of the certificate: without it the code is worth nothing, and is not used up', async () => {
    const [certificate, other] = [
      await createClientCertificate({ name: 'native', keyType: 'P-256' }),
      await createClientCertificate({ name: 'native', keyType: 'P-256' }),
    ]
    const pushed = await push(server, native, { certificate })
    expect(pushed.status).toBe(201)
    const form = {
      grant_type: 'authorization_code',
      client_id: 'bound-native',
      redirect_uri: native.redirect_uri,
      code: await codeFor(pushed.json.request_uri),
      code_verifier: verifier,
    }
    expect((await server.post('/token', form)).json.error).toBe('invalid_request')
    expect((await server.post('/token', form, { certificate: other })).json.error).toBe('invalid_grant')
    expect((await server.post('/token', form, { certificate })).status).toBe(200)
  })

  it('demands no certificate', async () => {
    expect((await push(server, native)).status).toBe(201)
  })

  it('refuses a dpop_jkt that is no thumbprint', async () => {
    const form = { ...validRequest, client_secret: 'secret', dpop_jkt: randomBytes(16).toString('base64url') }
    expect(await declinedPush(server, form)).toMatchObject({ error: 'invalid_request', reason: 'dpop_jkt_malformed' })
  })
})

describe('RFC 9126 §5 a server that takes pushed requests only', () => {
  it('[RFC9126-5-1, RFC9126-5-2] says so, and declines others', async () => {
    const strict = await startVisits((settings) => ({ ...settings, pushedAuthorizationRequests: { required: true } }))
    try {
      const page = await openBrowser(strict).authorize(validRequest)
      expect(page.answer.error).toBe('invalid_request')
      const { json } = await strict.send({
        on: 'public',
        method: 'GET',
        path: '/.well-known/oauth-authorization-server',
        headers: {},
      })
      expect(json.require_pushed_authorization_requests).toBe(true)
      expect(json.mtls_endpoint_aliases.pushed_authorization_request_endpoint).toMatch(/\/par$/)
      expect(json.mtls_endpoint_aliases.authorization_endpoint).toBeUndefined()
    } finally {
      await strict.close()
    }
  })
})
