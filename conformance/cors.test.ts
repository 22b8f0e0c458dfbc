import { hash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { SettingsError, type SettingsInput } from 'holdfast'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { allow, callback, startPeopleServer } from './authorized.ts'
import { type Answer, declined, type Form, type Harness, type Sent } from './harness.ts'
import { openWire, talk, tokenRequest } from './http-wire.ts'

const origin = 'https://app.example'
const scope = 'openid profile api1'
const single = {
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  redirect_uris: [callback],
  scope,
} as const

const web = [
  { ...single, client_id: 'app', web_origins: [origin, 'http://localhost:3000'] },
  { ...single, client_id: 'nonces', web_origins: [origin], dpop_bound_access_tokens: true, dpop_nonces: 'required' },
  { ...single, client_id: 'elsewhere', web_origins: ['https://elsewhere.example'] },
  { ...single, client_id: 'off', web_origins: ['https://off.example'], disabled: true },
] as const satisfies SettingsInput['clients']

const withWeb = (settings: SettingsInput): SettingsInput => ({
  ...settings,
  clients: [...(settings.clients ?? []), ...web],
  registration: { initialAccessTokens: [`sha256:${hash('sha256', 'initial', 'base64url')}`] },
})

let server: Harness
beforeAll(async () => {
  server = await startPeopleServer(withWeb)
})
afterAll(() => server.close())

const asked = (path: string, method = 'POST'): Sent => ({
  on: 'public',
  method: 'OPTIONS',
  path,
  headers: {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type,dpop',
  },
})
const preflight = ({ headers, ...sent }: Partial<Sent> = {}, to: Pick<Harness, 'send'> = server): Promise<Answer> =>
  to.send({ ...asked('/token'), ...sent, headers: { ...asked('/token').headers, ...headers } })

const sharingOf = ({ headers }: Pick<Answer, 'headers'>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control-|vary$)/.test(name)))
const shared = {
  vary: 'Origin',
  'access-control-allow-origin': origin,
  'access-control-expose-headers': 'Date, DPoP-Nonce, Retry-After, WWW-Authenticate',
}
const kept = { vary: 'Origin' }

const endpoints = [
  { path: '/token', methods: 'POST' },
  { path: '/par', methods: 'POST' },
  { path: '/device_authorization', methods: 'POST' },
  { path: '/revoke', methods: 'POST' },
  { path: '/userinfo', methods: 'GET, HEAD, POST' },
] as const

/** Origins that look like the registered one, and are not. */
const foreign = [
  'null',
  '*',
  'https://app.example/',
  'https://App.example',
  'HTTPS://app.example',
  'https://app.example:443',
  'https://app.example:8443',
  'http://app.example',
  'https://www.app.example',
  'https://app.example.evil.test',
  'https://evil-app.example',
  'https://app.example, https://app.example',
  'https://app.example https://evil.test',
  'http://localhost:3001',
  'https://localhost:3000',
  'https://off.example',
  'https://evil.test',
]

describe('Fetch §4.8 preflights', () => {
  it.each(endpoints)('[G23] are answered at $path, for its own methods', async ({ path, methods }) => {
    const reports = server.reports.length
    const answer = await preflight({ path })
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' })
    expect(answer.headers).not.toHaveProperty('content-length')
    expect(sharingOf(answer)).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-methods': methods,
      'access-control-allow-headers': 'authorization, content-type, dpop',
      'access-control-max-age': '7200',
    })
    expect(server.reports.length).toBe(reports)
  })

  it.each(['https://elsewhere.example', 'http://localhost:3000'])(
    'are answered for the origin of any client: %s',
    async (each) => {
      const answer = await preflight({ headers: { origin: each } })
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([204, each])
    },
  )

  it.each(foreign)('[G23] are answered for nobody else: %s', async (each) => {
    const answer = await preflight({ headers: { origin: each } })
    expect(answer).toMatchObject({ status: 405, json: { error: 'method_not_allowed' } })
    expect(answer.headers.allow).toBe('POST')
    expect(sharingOf(answer)).toEqual(kept)
  })

  it('are not answered for two Origin headers', async () => {
    const question = ['access-control-request-method: POST', `origin: ${origin}`, `origin: ${origin}`]
    const answer = await talk(
      server,
      tokenRequest({ method: 'OPTIONS', headers: question, without: ['content-type', 'content-length'], body: '' }),
    )
    expect([answer.status, sharingOf(answer)]).toEqual([405, kept])
  })

  it('are no preflights without the method that is asked about', async () => {
    const answer = await server.send({ ...asked('/token'), headers: { origin } })
    expect([answer.status, sharingOf(answer)]).toEqual([405, shared])
  })

  it('are no preflights without an origin', async () => {
    const answer = await server.send({ ...asked('/token'), headers: { 'access-control-request-method': 'POST' } })
    expect([answer.status, sharingOf(answer)]).toEqual([405, {}])
  })

  it.each(['/introspect', '/register', '/authorize', '/sign-in', '/sign-out', '/consent', '/device'])(
    '[G23] are not answered at %s, which is not for scripts',
    async (path) => {
      const answer = await preflight({ path })
      expect([answer.status, sharingOf(answer)]).toEqual([405, {}])
    },
  )

  it.each(['/token/', '/Token', '/%74oken', '//token', '/elsewhere'])('are not answered at %s', async (path) => {
    const answer = await preflight({ path })
    expect(answer.status).not.toBe(204)
    expect(sharingOf(answer)).toEqual({})
  })

  it.each(endpoints)('[G23] are not answered by the mTLS listener: $path', async ({ path }) => {
    const answer = await preflight({ path, on: 'mutualTls' })
    expect([answer.status, sharingOf(answer)]).toEqual([405, {}])
  })

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/jwks'])(
    'are answered for everybody at %s',
    async (path) => {
      const answer = await preflight({ path, headers: { origin: 'https://evil.test' } })
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([204, '*'])
      expect(answer.headers['access-control-allow-methods']).toBe('GET, HEAD')
    },
  )
})

const fromScript = (path: string, form: Form, sent: Partial<Sent> = {}) =>
  server.post(path, form, { ...sent, headers: { origin, ...sent.headers } })

async function tokenOf(client: string): Promise<string> {
  const { form } = allow(server, { client, scope, redirectUri: callback })
  const answer = await fromScript('/token', { ...form, client_id: client })
  expect(sharingOf(answer)).toEqual(shared)
  return answer.json.access_token
}

describe('Fetch §3.2 answers that a script may read', () => {
  it('are tokens', async () => {
    expect(await tokenOf('app')).toBeTypeOf('string')
  })

  it('are pushed requests', async () => {
    const form = {
      client_id: 'app',
      response_type: 'code',
      redirect_uri: callback,
      scope,
      code_challenge: 'A'.repeat(43),
      code_challenge_method: 'S256',
    }
    const answer = await fromScript('/par', form)
    expect([answer.status, sharingOf(answer)]).toEqual([201, shared])
  })

  it('are device codes', async () => {
    const answer = await fromScript('/device_authorization', { client_id: 'app', scope })
    expect([answer.status, sharingOf(answer)]).toEqual([200, shared])
  })

  it('are revocations', async () => {
    const answer = await fromScript('/revoke', { client_id: 'app', token: 'unknown' })
    expect([answer.status, sharingOf(answer)]).toEqual([200, shared])
  })

  it.each(['GET', 'HEAD', 'POST'])('are claims of UserInfo, by %s', async (method) => {
    const headers = { origin, authorization: `Bearer ${await tokenOf('app')}` }
    const answer = await server.send({ on: 'public', method, path: '/userinfo', headers })
    expect([answer.status, sharingOf(answer)]).toEqual([200, shared])
    expect(answer.text === '').toBe(method === 'HEAD')
  })

  it('[RFC9449-8-5] are nonces, at the endpoint that asks for one', async () => {
    const key = createTestProofKey()
    const { form } = allow(server, { client: 'nonces', scope, redirectUri: callback })
    const ask = (nonce?: string) =>
      fromScript(
        '/token',
        { ...form, client_id: 'nonces' },
        {
          headers: {
            dpop: signProof(key, {
              method: 'POST',
              url: `${server.issuer}/token`,
              now: server.freeze(),
              ...(nonce !== undefined && { nonce }),
            }),
          },
        },
      )
    const { error, reason, answer } = await declined(server, ask())
    expect({ error, reason, sharing: sharingOf(answer) }).toEqual({
      error: 'use_dpop_nonce',
      reason: 'dpop_nonce_missing',
      sharing: shared,
    })
    const given = await ask(String(answer.headers['dpop-nonce']))
    expect([given.status, given.json.token_type, sharingOf(given)]).toEqual([200, 'DPoP', shared])
    expect(given.headers).toHaveProperty('dpop-nonce')
  })

  it('are challenges of UserInfo', async () => {
    const { status, answer } = await declined(
      server,
      server.send({
        on: 'public',
        method: 'GET',
        path: '/userinfo',
        headers: { origin, authorization: 'DPoP unknown' },
      }),
    )
    expect([status, sharingOf(answer)]).toEqual([401, shared])
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
  })

  it.each([
    ['an unknown grant', 400, { client_id: 'app', grant_type: 'unknown' }, {}],
    ['no client', 400, {}, {}],
    ['an unknown client', 401, { client_id: 'unknown', grant_type: 'refresh_token' }, {}],
    ['another type of body', 400, {}, { headers: { 'content-type': 'text/plain' } }],
    ['too long a body', 413, { padding: 'x'.repeat(65_536) }, {}],
    ['a form that cannot be read', 400, {}, { body: '%zz' }],
  ] as const)('are refusals for %s', async (_, expected, form, sent) => {
    const { status, answer } = await declined(server, fromScript('/token', form, sent))
    expect([status, sharingOf(answer)]).toEqual([expected, shared])
  })

  it('are refusals of another method', async () => {
    const answer = await server.send({ on: 'public', method: 'PUT', path: '/token', headers: { origin } })
    expect([answer.status, answer.headers.allow, sharingOf(answer)]).toEqual([405, 'POST', shared])
  })

  it('are refusals for too many attempts', async () => {
    const own = await startPeopleServer(withWeb)
    onTestFinished(() => own.close())
    const guess = () => own.token({ client_id: 'unknown', client_secret: 'wrong' }, { headers: { origin } })
    let answer = await guess()
    for (let tries = 0; tries < 100 && answer.status !== 429; tries++) answer = await guess()
    expect([answer.status, sharingOf(answer)]).toEqual([429, shared])
  })

  it('are outages, and when to come back', async () => {
    const token = await tokenOf('app')
    const holder = new DatabaseSync(join(server.directory, 'holdfast.db'))
    try {
      holder.exec('begin immediate')
      const { status, answer } = await declined(server, fromScript('/revoke', { client_id: 'app', token }))
      expect([status, answer.headers['retry-after'], sharingOf(answer)]).toEqual([503, '1', shared])
    } finally {
      holder.close()
    }
  })

  it.each(endpoints)('are never kept by a cache, which could mix up origins: $path', async ({ path }) => {
    const answer = await fromScript(path, {})
    expect([answer.headers['cache-control'], answer.headers.vary]).toEqual(['no-store', 'Origin'])
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials')
  })
})

describe('Fetch §3.2 answers that a script may not read', () => {
  it.each(foreign)('[G22] are those to an origin of nobody, whose request is judged all the same: %s', async (each) => {
    const answer = await server.token({}, { headers: { origin: each } })
    expect([answer.status, sharingOf(answer)]).toEqual([200, kept])
  })

  it.each(['client', 'elsewhere'])('[G22] are those to a client that is not of this origin: %s', async (client_id) => {
    const answer = await fromScript('/revoke', { client_id, client_secret: 'secret', token: 'unknown' })
    expect(sharingOf(answer)).toEqual(kept)
  })

  it('[G22] are those to a client by Basic that is not of this origin', async () => {
    const authorization = `Basic ${btoa('client:secret')}`
    const answer = await fromScript('/revoke', { token: 'unknown' }, { headers: { authorization } })
    expect([answer.status, sharingOf(answer)]).toEqual([200, kept])
  })

  it('are those to two Origin headers', async () => {
    const answer = await talk(server, tokenRequest({ headers: [`origin: ${origin}`, `origin: ${origin}`] }))
    expect([answer.status, sharingOf(answer)]).toEqual([200, kept])
  })

  it('are those to a client that is disabled', async () => {
    const answer = await fromScript(
      '/revoke',
      { client_id: 'off', token: 'x' },
      { headers: { origin: 'https://off.example' } },
    )
    expect([answer.status, sharingOf(answer)]).toEqual([401, kept])
  })

  it.each(endpoints)('[G22] are those of the mTLS listener: $path', async ({ path }) => {
    expect(sharingOf(await fromScript(path, { client_id: 'app' }, { on: 'mutualTls' }))).toEqual({})
  })

  it.each(['/introspect', '/register', '/sign-in', '/consent', '/device', '/elsewhere'])(
    '[G22] are those of %s',
    async (path) => {
      expect(sharingOf(await fromScript(path, { client_id: 'app' }))).toEqual({})
    },
  )

  it.each(['/authorize', '/sign-out', '/device'])('[G22] are pages: %s', async (path) => {
    const answer = await server.send({ on: 'public', method: 'GET', path, headers: { origin } })
    expect(sharingOf(answer)).toEqual({})
  })

  it('say nothing of origins to a request without one', async () => {
    expect(sharingOf(await server.token())).toEqual({})
  })
})

describe('the origins of clients in the store', () => {
  const own = async () => {
    const started = await startPeopleServer(withWeb)
    onTestFinished(() => started.close())
    const { administer } = started.server.administration
    const statusFor = async (each: string) => (await preflight({ headers: { origin: each } }, started)).status
    return { started, administer, statusFor }
  }
  const added = { ...single, client_id: 'added', web_origins: ['https://added.example'] }

  it('count from the moment in which the client is added', async () => {
    const { administer, statusFor } = await own()
    expect(await statusFor('https://added.example')).toBe(405)
    await administer('client-add', { client: added })
    expect(await statusFor('https://added.example')).toBe(204)
    expect(await statusFor(origin)).toBe(204)
  })

  it.each([
    ['changed', { web_origins: ['https://changed.example'] }],
    ['taken away', { web_origins: null }],
    ['those of a disabled client', { disabled: true }],
  ])('no longer count once they are %s', async (_, change) => {
    const { administer, statusFor } = await own()
    await administer('client-add', { client: added })
    expect(await statusFor('https://added.example')).toBe(204)
    await administer('client-edit', { clientId: 'added', change })
    expect(await statusFor('https://added.example')).toBe(405)
    expect(await statusFor('https://changed.example')).toBe('web_origins' in change && change.web_origins ? 204 : 405)
  })

  it('no longer count once the client is removed', async () => {
    const { administer, statusFor } = await own()
    await administer('client-add', { client: added })
    expect(await statusFor('https://added.example')).toBe(204)
    await administer('client-remove', { clientId: 'added' })
    expect(await statusFor('https://added.example')).toBe(405)
  })

  it('are those of one client at the endpoint, however many others there are', async () => {
    const { started, administer } = await own()
    await administer('client-add', { client: added })
    const ask = (each: string) =>
      started.post('/revoke', { client_id: 'added', token: 'x' }, { headers: { origin: each } })
    expect(sharingOf(await ask('https://added.example'))).toMatchObject({
      'access-control-allow-origin': 'https://added.example',
    })
    expect(sharingOf(await ask(origin))).toEqual(kept)
  })

  it('are not for clients to register themselves', async () => {
    const body = JSON.stringify({ redirect_uris: [callback], web_origins: ['https://own.example'] })
    const headers = { 'content-type': 'application/json', authorization: 'Bearer initial' }
    const { status, json } = await server.send({ on: 'public', method: 'POST', path: '/register', headers, body })
    expect(status).toBe(201)
    expect(json).not.toHaveProperty('web_origins')
    expect((await preflight({ headers: { origin: 'https://own.example' } })).status).toBe(405)
  })

  it('are sixty-four at most of one client, each of which counts', async () => {
    const { administer, statusFor } = await own()
    const many = Array.from({ length: 64 }, (_, index) => `https://app-${index}.example`)
    const tooMany = administer('client-add', { client: { ...added, web_origins: [...many, 'https://more.example'] } })
    await expect(tooMany).rejects.toMatchObject({ problem: 'invalid' })
    await administer('client-add', { client: { ...added, web_origins: many } })
    const statuses = await Promise.all([...many, 'https://app-64.example'].map(statusFor))
    expect(statuses).toEqual([...many.map(() => 204), 405])
  })

  it.each(['https://*.example', 'https://added.example/', 'http://added.example', 'null', '*'])(
    'are refused where they are none: %s',
    async (each) => {
      const { administer } = server.server.administration
      const adding = administer('client-add', { client: { ...added, web_origins: [each] } })
      await expect(adding).rejects.toMatchObject({
        problem: 'invalid',
        message: expect.stringContaining('web_origins[0]'),
      })
    },
  )
})

it('[G23] opens nothing on a single listener that asks for certificates', async () => {
  const own = await startPeopleServer((settings) => {
    const { mutualTls, ...listen } = settings.listen
    return { ...withWeb(settings), layout: 'single', listen }
  })
  onTestFinished(() => own.close())
  const answer = await preflight({}, own)
  expect([answer.status, sharingOf(answer)]).toEqual([405, {}])
})

describe('a server that stops', () => {
  it('still answers a preflight in flight, and ends its connection', async () => {
    const own = await startPeopleServer(withWeb)
    const wire = await openWire(own)
    const [start, end] = [
      'OPTIONS /token HTTP/1.1\r\nhost: localhost\r\n',
      `origin: ${origin}\r\naccess-control-request-method: POST\r\n\r\n`,
    ]
    wire.send(start)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closed = own.close()
    wire.send(end)
    const answer = await wire.answer()
    expect([answer?.status, answer?.headers.connection]).toEqual([204, 'close'])
    await Promise.all([wire.ended, closed])
  })
})

it('stops a start on an origin that is none, and says what to write', async () => {
  const started = startPeopleServer((settings) => ({
    ...settings,
    clients: [{ ...single, client_id: 'app', web_origins: ['https://app.example/'] }],
  }))
  await expect(started).rejects.toBeInstanceOf(SettingsError)
  await expect(started).rejects.toThrow('clients[0].web_origins[0]')
})
