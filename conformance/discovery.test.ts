import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  type Answer,
  assertion,
  assertionType,
  baseClients,
  basic,
  claimsOf,
  declined,
  type Harness,
  startServer,
} from './harness.ts'

const wellKnown = '/.well-known/oauth-authorization-server'
const openidScopes = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access']
const signingAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS256',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const

const keyPairs: Readonly<Record<string, () => ReturnType<typeof made>>> = {
  ES256: () => made(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  ES384: () => made(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  ES512: () => made(generateKeyPairSync('ec', { namedCurve: 'P-521' })),
  PS256: () => made(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  RS256: () => made(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  EdDSA: () => made(generateKeyPairSync('ed25519')),
  Ed25519: () => made(generateKeyPairSync('ed25519')),
  'ML-DSA-44': () => made(generateKeyPairSync('ml-dsa-44')),
  'ML-DSA-65': () => made(generateKeyPairSync('ml-dsa-65')),
  'ML-DSA-87': () => made(generateKeyPairSync('ml-dsa-87')),
}
const keys = Object.fromEntries(Object.entries(keyPairs).map(([algorithm, make]) => [algorithm, make()]))
const pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })

let server: Harness
let metadata: Answer
beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    apis: [
      ...settings.apis,
      ...signingAlgorithms.map((algorithm) => ({
        identifier: `https://${algorithm.toLowerCase()}.test`,
        scopes: [algorithm],
        accessTokens: { algorithm },
      })),
    ],
    clients: [
      ...baseClients,
      { client_id: 'all', client_secret: 'secret', scope: signingAlgorithms.join(' ') },
      ...Object.entries(keys).map(([algorithm, { jwk }]) => ({
        client_id: `by-${algorithm}`,
        token_endpoint_auth_method: 'private_key_jwt' as const,
        jwks: { keys: [jwk] },
        scope: 'api1',
      })),
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth' as const,
        jwks: { keys: [{ kty: 'EC', x5c: [pinned.certificate.replace(/-----.*-----|\s/g, '')] }] },
        scope: 'api1',
      },
    ],
  }))
  metadata = await get(wellKnown)
})
afterAll(() => server.close())

const get = (path: string, headers = {}, on = server): Promise<Answer> =>
  on.send({ on: 'public', method: 'GET', path, headers })

describe('RFC 8414 §2 what the metadata says', () => {
  it('[RFC9207-2.3-1, RFC9126-2-5] says this, and nothing else', () => {
    const at = (port: number) => ({
      pushed_authorization_request_endpoint: `https://localhost:${port}/par`,
      device_authorization_endpoint: `https://localhost:${port}/device_authorization`,
      token_endpoint: `https://localhost:${port}/token`,
      userinfo_endpoint: `https://localhost:${port}/userinfo`,
      introspection_endpoint: `https://localhost:${port}/introspect`,
      revocation_endpoint: `https://localhost:${port}/revoke`,
    })
    const methods = [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
    ]
    const algorithms = Object.keys(keyPairs)
    expect(metadata.status).toBe(200)
    expect(metadata.json).toEqual({
      issuer: server.issuer,
      ...at(server.publicPort),
      jwks_uri: `${server.issuer}/jwks`,
      authorization_endpoint: `${server.issuer}/authorize`,
      end_session_endpoint: `${server.issuer}/sign-out`,
      grant_types_supported: [
        'client_credentials',
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ],
      response_types_supported: ['code'],
      response_modes_supported: ['query', 'fragment', 'form_post'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
      ui_locales_supported: ['en', 'de'],
      request_parameter_supported: true,
      request_uri_parameter_supported: false,
      require_signed_request_object: false,
      request_object_signing_alg_values_supported: algorithms,
      require_pushed_authorization_requests: false,
      authorization_details_types_supported: [],
      scopes_supported: [...openidScopes, 'api1', ...signingAlgorithms],
      claims_supported: expect.arrayContaining(['sub', 'auth_time', 'name', 'email']),
      claims_parameter_supported: false,
      claim_types_supported: ['normal'],
      subject_types_supported: ['public', 'pairwise'],
      acr_values_supported: ['0'],
      id_token_signing_alg_values_supported: expect.arrayContaining(['ES256']),
      token_endpoint_auth_methods_supported: [...methods, 'none'],
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_endpoint_auth_methods_supported: methods,
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_signing_alg_values_supported: ['ES256'],
      revocation_endpoint_auth_methods_supported: [...methods, 'none'],
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      tls_client_certificate_bound_access_tokens: true,
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'],
      mtls_endpoint_aliases: at(server.mutualTlsPort),
    })
  })

  it('[D01] the issuer is the configured one to the letter', () => {
    expect(metadata.json.issuer).toBe(server.settings.issuer)
  })

  it('[D08] is JSON for everybody to keep for a while, whatever Accept says', async () => {
    const answer = await get(wellKnown, { accept: 'text/html' })
    expect(answer.text).toBe(metadata.text)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    })
  })

  it.each([wellKnown, '/.well-known/openid-configuration', '/jwks'])(
    '[D08] answers HEAD and If-None-Match at %s',
    async (path) => {
      const whole = await get(path)
      const head = await server.send({ on: 'public', method: 'HEAD', path, headers: {} })
      expect([head.status, head.text, head.headers['content-length']]).toEqual([
        200,
        '',
        String(Buffer.byteLength(whole.text)),
      ])
      const { etag = '' } = whole.headers
      for (const tag of [etag, `W/${etag}`, `"other", ${etag}`]) {
        const kept = await get(path, { 'if-none-match': tag })
        expect([kept.status, kept.text, kept.headers.etag]).toEqual([304, '', etag])
      }
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200)
    },
  )

  it.each([wellKnown, '/.well-known/openid-configuration', '/jwks'])('[D10] refuses POST at %s', async (path) => {
    const refused = await declined(server, server.post(path, {}))
    expect(refused).toMatchObject({ status: 405, error: 'method_not_allowed', reason: 'method_not_allowed' })
    expect(refused.answer.headers.allow).toBe('GET, HEAD')
  })

  it('is the same at the address of OpenID Connect Discovery', async () => {
    expect((await get('/.well-known/openid-configuration')).text).toBe(metadata.text)
  })

  it.each([wellKnown, '/.well-known/openid-configuration', '/jwks', '/'])(
    '[D04] the mTLS listener serves the aliased endpoints and nothing else: %s',
    async (path) => {
      const asked = server.send({ on: 'mutualTls', method: 'GET', path, headers: {} })
      expect(await declined(server, asked)).toMatchObject({
        status: 404,
        error: 'not_found',
        reason: 'endpoint_unknown',
      })
      const posted = server.post(path, {}, { on: 'mutualTls' })
      expect(await declined(server, posted)).toMatchObject({ status: 404, error: 'not_found' })
    },
  )
})

describe('RFC 8414 §3.1 an issuer with a path', () => {
  const path = '/tenant/one'
  let own: Harness
  beforeAll(async () => {
    own = await startServer((settings) => ({ ...settings, issuer: `${settings.issuer}${path}` }))
  })
  afterAll(() => own.close())

  it('[D02] puts the well-known part before the path; OpenID Connect Discovery puts it after', async () => {
    const answer = await get(`${wellKnown}${path}`, {}, own)
    expect([answer.status, answer.json.issuer]).toEqual([200, own.settings.issuer])
    expect((await get(`${path}/.well-known/openid-configuration`, {}, own)).text).toBe(answer.text)
  })

  it.each([wellKnown, `${path}${wellKnown}`, '/.well-known/openid-configuration', `${wellKnown}${path}/`])(
    '[D02] has nothing at %s',
    async (address) => {
      expect((await get(address, {}, own)).status).toBe(404)
    },
  )

  it('[D03] has its endpoints there, on both listeners', async () => {
    const { json } = await get(`${wellKnown}${path}`, {}, own)
    expect(json.token_endpoint).toBe(`https://localhost:${own.publicPort}${path}/token`)
    expect(json.mtls_endpoint_aliases.token_endpoint).toBe(`https://localhost:${own.mutualTlsPort}${path}/token`)
    const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret' }
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await own.post(`${path}/token`, form, { certificate })
    expect(claimsOf(answer.json.access_token)).toMatchObject({
      iss: own.settings.issuer,
      cnf: { 'x5t#S256': certificate.thumbprint },
    })
    expect((await own.post(`${path}/token`, form)).status).toBe(200)
    expect((await own.post('/token', form)).status).toBe(404)
  })
})

describe('layout single', () => {
  it('[D04] publishes aliases that are the ordinary endpoints, and binds there', async () => {
    const own = await startServer(({ listen, ...settings }) => ({
      ...settings,
      layout: 'single',
      listen: { public: listen.public },
    }))
    onTestFinished(() => own.close())
    const { json } = await get(wellKnown, {}, own)
    const aliases = Object.keys(json.mtls_endpoint_aliases)
    expect(aliases).toContain('token_endpoint')
    expect(json.mtls_endpoint_aliases).toEqual(Object.fromEntries(aliases.map((name) => [name, json[name]])))
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await own.token({}, { on: 'public', certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect((await own.token()).status).toBe(200)
  })
})

describe('[D03] what is advertised works, and what is refused is not advertised', () => {
  it('every address answers by the method that goes there', async () => {
    const { mtls_endpoint_aliases: aliases, ...own } = metadata.json
    const statuses: Readonly<Record<string, number>> = {
      jwks_uri: 200,
      end_session_endpoint: 303,
      userinfo_endpoint: 401,
    }
    for (const [member, address] of [...Object.entries(own), ...Object.entries(aliases)]) {
      if (!/(_endpoint|_uri)$/.test(member)) continue
      const { pathname, port } = new URL(String(address))
      const on = Number(port) === server.publicPort ? 'public' : 'mutualTls'
      const answer = await server.send({
        on,
        method: member === 'jwks_uri' ? 'GET' : 'POST',
        path: pathname,
        headers: {},
      })
      expect([member, answer.status]).toEqual([member, statuses[member] ?? 400])
    }
  })

  it('each way of client authentication at the token endpoint', async () => {
    const form = { client_secret: undefined, client_id: undefined }
    const client_assertion = assertion(keys.ES256?.privateKey ?? '', 'by-ES256', server.issuer)
    const byMethod: Readonly<Record<string, () => Promise<Answer>>> = {
      client_secret_basic: () => server.token(form, { headers: basic('client', 'secret') }),
      client_secret_post: () => server.token(),
      private_key_jwt: () => server.token({ ...form, client_assertion, client_assertion_type: assertionType }),
      self_signed_tls_client_auth: () => server.token({ ...form, client_id: 'pinned' }, { certificate: pinned }),
    }
    const elsewhere = ['tls_client_auth', 'none']
    expect(metadata.json.token_endpoint_auth_methods_supported.toSorted()).toEqual(
      [...Object.keys(byMethod), ...elsewhere].toSorted(),
    )
    for (const [method, ask] of Object.entries(byMethod)) expect([method, (await ask()).status]).toEqual([method, 200])
  })

  it.each(Object.keys(keyPairs))('an assertion signed with %s', async (alg) => {
    expect(metadata.json.token_endpoint_auth_signing_alg_values_supported).toContain(alg)
    const client_assertion = assertion(keys[alg]?.privateKey ?? '', `by-${alg}`, server.issuer, { header: { alg } })
    const form = {
      client_id: undefined,
      client_secret: undefined,
      client_assertion,
      client_assertion_type: assertionType,
    }
    expect((await server.token(form)).status).toBe(200)
  })

  it.each(['none', 'HS256', 'RS384', 'RS512', 'PS384', 'PS512', 'ES256K', 'Ed448'])(
    'no assertion that says %s',
    async (alg) => {
      expect(metadata.json.token_endpoint_auth_signing_alg_values_supported).not.toContain(alg)
      const client_assertion = assertion(keys.RS256?.privateKey ?? '', 'by-RS256', server.issuer, {
        header: { alg: 'RS256' },
      }).replace(/^[^.]+/, Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url'))
      const form = {
        client_id: undefined,
        client_secret: undefined,
        client_assertion,
        client_assertion_type: assertionType,
      }
      expect(await declined(server, server.token(form))).toMatchObject({ status: 401, reason: 'assertion_algorithm' })
    },
  )

  it.each(['password', 'implicit', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'urn:openid:params:grant-type:ciba'])(
    'no grant %s',
    async (grant_type) => {
      expect(metadata.json.grant_types_supported).not.toContain(grant_type)
      const refused = await declined(server, server.token({ grant_type }))
      expect(refused).toMatchObject({ status: 400, error: 'unsupported_grant_type', reason: 'grant_type_unsupported' })
    },
  )

  it('each scope of an API', async () => {
    for (const scope of metadata.json.scopes_supported.slice(openidScopes.length)) {
      const client_id = scope === 'api1' ? 'client' : 'all'
      expect((await server.token({ client_id, scope })).json.scope).toBe(scope)
    }
  })
})

describe('RFC 7517 the JWK set', () => {
  const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']
  const published = async (on = server) => (await get('/jwks', {}, on)).json.keys as Record<string, unknown>[]

  it('[D06] has no private member, before and after a rotation', async () => {
    const own = await startServer()
    onTestFinished(() => own.close())
    for (let time = 0; time < 2; time++) {
      for (const key of await published(own))
        expect(Object.keys(key).filter((member) => privateMembers.includes(member))).toEqual([])
      await own.server.administration.administer('key-rotate', {})
    }
  })

  it('[D07] gives each key its own kid, use sig and its alg', async () => {
    const found = await published()
    expect(found.length).toBeGreaterThan(0)
    expect(new Set(found.map(({ kid }) => kid)).size).toBe(found.length)
    expect(found.map(({ use }) => use)).toEqual(found.map(() => 'sig'))
    expect(new Set(found.map(({ alg }) => alg))).toEqual(new Set(signingAlgorithms))
  })

  it.each(signingAlgorithms)('[D03] names the key of a token that is signed with %s', async (scope) => {
    const { access_token } = (await server.token({ client_id: 'all', scope })).json
    const { alg, kid } = decodeProtectedHeader(access_token)
    expect(alg).toBe(scope)
    expect(await published()).toContainEqual(expect.objectContaining({ alg, kid, use: 'sig' }))
  })

  it('[D07] keeps a retired key until its last token has expired', async () => {
    const own = await startServer()
    onTestFinished(() => own.close())
    own.freeze()
    const { access_token: token } = (await own.token()).json
    const { kid } = decodeProtectedHeader(token)
    const names = async () => (await published(own)).map((key) => key.kid)
    const isActive = async () =>
      (await own.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })).json.active
    await own.server.administration.administer('key-rotate', {})
    expect(decodeProtectedHeader((await own.token()).json.access_token).kid).not.toBe(kid)
    own.advance(3599)
    expect([(await names()).includes(kid), await isActive()]).toEqual([true, true])
    own.advance(86_400)
    expect(await names()).not.toContain(kid)
  })

  it('[D08] has a type of its own', async () => {
    expect((await get('/jwks')).headers['content-type']).toBe('application/jwk-set+json')
  })
})

function made({ privateKey, publicKey }: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }): {
  readonly privateKey: string
  readonly jwk: { readonly kty: string }
} {
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    jwk: publicKey.export({ format: 'jwk' }) as { kty: string },
  }
}
