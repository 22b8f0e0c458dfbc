import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { basic, declined, type Harness, rowsOf, startServer } from './harness.ts'
import { openWire, talk, tokenRequest } from './http-wire.ts'

let server: Harness
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const right = 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1'
const form = 'application/x-www-form-urlencoded'
const posted = ['/token', '/introspect', '/revoke']

const refusal = async (bytes: string | Buffer, on: 'public' | 'mutualTls' = 'public') =>
  await declined(server, talk(server, bytes, on))

/** What it told of requests: connections come and go between them, and are told of too. */
const refusedRequests = () => server.reports.filter(({ event }) => event === 'refused')

describe('RFC 9110 §9 methods', () => {
  it('gives a token for the right request', async () => {
    const answer = await talk(server, tokenRequest())
    expect(answer).toMatchObject({ status: 200, statusLine: '200 OK', json: { token_type: 'Bearer' } })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-content-type-options': 'nosniff',
    })
  })

  it.each(
    posted.flatMap((target) =>
      ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'].map((method) => ({
        target,
        method,
      })),
    ),
  )(
    '[RFC6749-3.2-1, RFC9126-2.3-2] [G01] answers $method $target with 405 and Allow: POST',
    async ({ target, method }) => {
      const answer = await server.send({ on: 'public', method, path: target, headers: {} })
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('POST')
      if (method !== 'HEAD') expect(answer.json.error).toBe('method_not_allowed')
      expect(refusedRequests().at(-1)?.reason).toBe('method_not_allowed')
    },
  )

  it('[G01] the mTLS listener says so too', async () => {
    const answer = await server.send({ on: 'mutualTls', method: 'GET', path: '/token', headers: {} })
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST'])
  })

  it('refuses a method that nobody knows in JSON', async () => {
    expect(await refusal(tokenRequest({ method: 'FOO' }))).toMatchObject({ status: 400, reason: 'request_malformed' })
  })

  it('ends a CONNECT', async () => {
    const wire = await openWire(server)
    wire.send('CONNECT api.test:443 HTTP/1.1\r\nhost: api.test\r\n\r\n')
    await wire.ended
  })
})

describe('what is reported', () => {
  it('decides nothing where the log fails', async () => {
    server.reports.push = () => {
      throw new Error('The log fails.')
    }
    onTestFinished(() => void Reflect.deleteProperty(server.reports, 'push'))
    expect((await server.token({ client_secret: 'wrong' })).status).toBe(401)
    expect((await server.token()).status).toBe(200)
  })
})

describe('RFC 6749 §3.2 the form', () => {
  it.each([form, `${form};charset=UTF-8`, 'Application/X-WWW-Form-Urlencoded'])('takes it as %s', async (type) => {
    const answer = await talk(server, tokenRequest({ without: ['content-type'], headers: [`content-type: ${type}`] }))
    expect(answer.status).toBe(200)
  })

  it.each(
    posted.flatMap((target) =>
      ['application/json', 'multipart/form-data; boundary=x', 'text/plain', `${form}x`, `x-${form}`].map((type) => ({
        target,
        type,
      })),
    ),
  )('[G02] refuses $type at $target', async ({ target, type }) => {
    const request = tokenRequest({ target, without: ['content-type'], headers: [`content-type: ${type}`] })
    expect(await refusal(request)).toMatchObject({ status: 400, error: 'invalid_request', reason: 'body_not_form' })
  })

  it.each(posted)('[G03] refuses a body without Content-Type at %s', async (target) => {
    const refused = await refusal(tokenRequest({ target, without: ['content-type'] }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'body_not_form' })
  })

  it('[G03] refuses a request without any body', async () => {
    const refused = await refusal(tokenRequest({ without: ['content-type', 'content-length'], body: '' }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'client_id_missing' })
  })

  const filled = (count: number) =>
    `${Array.from({ length: count - 4 }, (_, index) => `p${index}=1`).join('&')}&${right}`
  it('[G07] reads a hundred parameters', async () => {
    expect(await talk(server, tokenRequest({ body: filled(100) }))).toMatchObject({ status: 200 })
  })

  it.each([101, 1001])('[G07] refuses %i parameters instead of dropping the last ones', async (count) => {
    const refused = await refusal(tokenRequest({ body: filled(count) }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameters_too_many' })
  })

  const single = ['grant_type', 'client_id', 'client_secret', 'scope']
  const values = Object.fromEntries(new URLSearchParams(right))
  it.each(single)('[G08] refuses %s twice with the same value', async (name) => {
    const refused = await refusal(tokenRequest({ body: `${right}&${name}=${values[name]}` }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameter_repeated' })
  })

  it.each([...single, 'unknown=1&unknown'])(
    '[RFC6749-3.2-4] [G09] refuses %s twice with another value',
    async (name) => {
      const refused = await refusal(tokenRequest({ body: `${right}&${name}=x` }))
      expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameter_repeated' })
    },
  )

  it.each(['token', 'token_type_hint'])('[G09] refuses %s twice at introspection and revocation', async (name) => {
    for (const target of ['/introspect', '/revoke']) {
      const refused = await refusal(
        tokenRequest({ target, body: `client_id=client&client_secret=secret&token=a&token_type_hint=b&${name}=c` }),
      )
      expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameter_repeated' })
    }
  })

  it('[G08] takes resource twice', async () => {
    const resource = encodeURIComponent('https://api.test')
    const answer = await talk(server, tokenRequest({ body: `${right}&resource=${resource}&resource=${resource}` }))
    expect(answer.status).toBe(200)
  })

  it.each([
    ['scope=', 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=', 200, undefined],
    ['resource=', `${right}&resource=`, 200, undefined],
    ['client_assertion=', `${right}&client_assertion=&client_assertion_type=`, 200, undefined],
    ['grant_type=', right.replace('=client_credentials', '='), 400, 'grant_type_missing'],
    ['client_id=', right.replace('=client&', '=&'), 400, 'client_id_missing'],
    ['client_secret=', right.replace('=secret', '='), 401, 'client_credentials_missing'],
  ])('[RFC6749-3.2-2] [G10] takes %s for absent', async (_, body, status, reason) => {
    const before = refusedRequests().length
    const answer = await talk(server, tokenRequest({ body }))
    expect([answer.status, refusedRequests()[before]?.reason]).toEqual([status, reason])
  })

  it.each(
    posted.flatMap((target) => ['client_secret=secret', 'token=x', 'x', ''].map((query) => `${target}?${query}`)),
  )('[G11] refuses a query: %s', async (target) => {
    const refused = await refusal(tokenRequest({ target }))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameter_in_query' })
  })

  it.each(['%', '%z1', '%4', '%ff', '%c0%af', '%ed%a0%80', '%00', 'a%00b'])(
    '[G12] refuses the value %s',
    async (value) => {
      const refused = await refusal(tokenRequest({ body: `${right}&x=${value}` }))
      expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'form_malformed' })
    },
  )

  it.each([
    ['a lone byte ff', Buffer.from([0xff])],
    ['an overlong slash', Buffer.from([0xc0, 0xaf])],
    ['NUL', Buffer.from([0])],
  ])('[G12] refuses %s in the raw', async (_, bytes) => {
    const head = tokenRequest({
      headers: [`content-length: ${bytes.length + 2}`],
      without: ['content-length'],
      body: '',
    })
    const refused = await refusal(Buffer.concat([Buffer.from(`${head}x=`), bytes]))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'form_malformed' })
  })
})

describe('RFC 9112 framing', () => {
  const chunked = (chunks: string) =>
    tokenRequest({ without: ['content-length'], headers: ['transfer-encoding: chunked'], body: chunks })

  it('takes a body in chunks', async () => {
    const answer = await talk(server, chunked(`${right.length.toString(16)}\r\n${right}\r\n0\r\n\r\n`))
    expect(answer.status).toBe(200)
  })

  it.each([
    ['[G14] Content-Length and Transfer-Encoding', tokenRequest({ headers: ['transfer-encoding: chunked'] })],
    ['[G15] two different Content-Length', tokenRequest({ headers: ['content-length: 5'] })],
    ['[G15] two equal Content-Length', tokenRequest({ headers: [`content-length: ${right.length}`] })],
    ['[G15] a negative Content-Length', tokenRequest({ without: ['content-length'], headers: ['content-length: -1'] })],
    ['[G17] obs-fold inside DPoP', tokenRequest({ headers: ['dpop: a', ' b'] })],
    ['[G17] a space before the colon', tokenRequest({ headers: ['dpop : a'] })],
    ['[G17] NUL in a header', tokenRequest({ headers: ['dpop: a\0b'] })],
    ['a chunk size that is no number', chunked('zz\r\n')],
    ['an unknown Transfer-Encoding', tokenRequest({ without: ['content-length'], headers: ['transfer-encoding: x'] })],
    ['lines that end with LF alone', tokenRequest().replaceAll('\r\n', '\n')],
    ['a version that is not HTTP/1', tokenRequest().replace('HTTP/1.1', 'HTTP/3.0')],
    ['[G25] the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['what is not HTTP', 'hello\r\n\r\n'],
  ])('%s: 400 in JSON, and the connection ends', async (_, bytes) => {
    const [stored, before] = [rowsOf(server), server.reports.length]
    const wire = await openWire(server)
    wire.send(bytes)
    const answer = await wire.answer()
    expect(answer).toMatchObject({ status: 400, statusLine: '400 Bad Request', json: { error: 'invalid_request' } })
    expect(answer?.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      connection: 'close',
    })
    await wire.ended
    const reports = server.reports.slice(before)
    expect(reports.map(({ level }) => level)).toEqual(reports.map(() => 'info'))
    expect(reports.map(({ reason }) => reason)).toContain('request_malformed')
    expect(JSON.stringify(reports)).not.toContain('client_secret')
    expect(rowsOf(server)).toBe(stored)
  })

  it('[G06] takes headers of nearly 32 KiB', async () => {
    expect(await talk(server, tokenRequest({ headers: [`x: ${'a'.repeat(32_000)}`] }))).toMatchObject({ status: 200 })
  })

  it('[G06] refuses more than 32 KiB of headers with 431', async () => {
    const refused = await refusal(tokenRequest({ headers: [`x: ${'a'.repeat(32_769)}`] }))
    expect(refused).toMatchObject({ status: 431, error: 'headers_too_large', reason: 'headers_too_large' })
    expect(refused.answer).toMatchObject({ statusLine: '431 Request Header Fields Too Large' })
  })

  it('[G06] drops no header of very many', async () => {
    const many = Array.from({ length: 2100 }, () => 'a:')
    const { authorization } = basic('client', 'secret')
    const last = [...many, `authorization: ${authorization}`]
    const answer = await talk(server, tokenRequest({ headers: last, body: 'grant_type=client_credentials' }))
    expect([200, 431]).toContain(answer.status)
  })

  const ofLength = (length: number) => `${right}&x=`.padEnd(length, 'x')
  it('[G24] reads 64 KiB', async () => {
    expect(await talk(server, tokenRequest({ body: ofLength(65_536) }))).toMatchObject({ status: 200 })
  })

  it.each([
    ['said by Content-Length', tokenRequest({ body: ofLength(65_537) })],
    ['in one chunk', chunked(`10001\r\n${ofLength(65_537)}\r\n0\r\n\r\n`)],
    ['announced only', tokenRequest({ without: ['content-length'], headers: ['content-length: 1048576'] })],
    [
      '[G24] announced, with Expect: 100-continue',
      tokenRequest({
        without: ['content-length'],
        headers: ['content-length: 65537', 'expect: 100-continue'],
        body: '',
      }),
    ],
  ])('refuses a body of 64 KiB and more %s, and ends the connection', async (_, bytes) => {
    const refused = await refusal(bytes)
    expect(refused).toMatchObject({ status: 413, error: 'content_too_large', reason: 'body_too_large' })
    expect(refused.answer.headers.connection).toBe('close')
  })

  it('[G24] says 100 Continue to who asks, then answers', async () => {
    const wire = await openWire(server)
    wire.send(
      tokenRequest({
        without: ['content-length'],
        headers: [`content-length: ${right.length}`, 'expect: 100-continue'],
        body: '',
      }),
    )
    expect(await wire.answer()).toMatchObject({ statusLine: '100 Continue' })
    wire.send(right)
    expect(await wire.answer()).toMatchObject({ status: 200 })
    wire.socket.destroy()
  })

  it('[G24] refuses any other expectation', async () => {
    const refused = await refusal(tokenRequest({ headers: ['expect: a-miracle'] }))
    expect(refused).toMatchObject({ status: 417, error: 'expectation_failed', reason: 'expectation_unknown' })
  })

  it('reports a body that breaks off as no failure of the server', async () => {
    const before = server.reports.length
    const wire = await openWire(server)
    wire.send(tokenRequest({ without: ['content-length'], headers: ['content-length: 1000'] }))
    await new Promise((resolve) => setTimeout(resolve, 50))
    wire.socket.destroy()
    await expect.poll(() => server.reports.slice(before).map(({ reason }) => reason)).toContain('request_incomplete')
    expect(server.reports.slice(before).every(({ level }) => level === 'info')).toBe(true)
  })

  it.each([
    ['405', tokenRequest({ method: 'GET', body: '' }), 405],
    ['404', tokenRequest({ target: '/nothing' }), 404],
    ['a body that is no form', tokenRequest({ without: ['content-type'] }), 400],
    ['a wrong secret', tokenRequest({ body: right.replace('=secret', '=wrong') }), 401],
  ])('keeps the connection after %s', async (_, bytes, status) => {
    const wire = await openWire(server)
    wire.send(bytes + tokenRequest())
    expect(await wire.answer()).toMatchObject({ status })
    expect(await wire.answer()).toMatchObject({ status: 200 })
    wire.socket.destroy()
  })

  it('takes HTTP/1.0 and ends the connection', async () => {
    const answer = await talk(server, tokenRequest().replace('HTTP/1.1', 'HTTP/1.0'))
    expect([answer.status, answer.headers.connection]).toEqual([200, 'close'])
  })

  it('serves a request that asks for an upgrade as it stands', async () => {
    const answer = await talk(server, tokenRequest({ headers: ['connection: upgrade', 'upgrade: h2c'] }))
    expect(answer.status).toBe(200)
  })
})

describe('RFC 9112 §3.2 host and target', () => {
  it.each(['localhost', 'localhost:5001', '[::1]:5001', 'proxy_7.internal'])('takes Host: %s', async (host) => {
    const answer = await talk(server, tokenRequest({ without: ['host'], headers: [`host: ${host}`] }))
    expect(answer.status).toBe(200)
  })

  it.each([
    ['two', ['host: localhost', 'host: localhost']],
    ['none', []],
    ['an empty one', ['host:']],
    ['one with a user', ['host: good@evil.test']],
    ['one with a path', ['host: localhost/token']],
    ['one with a space', ['host: localhost evil.test']],
    ['one with a comma', ['host: localhost,evil.test']],
    ['one whose port is no number', ['host: localhost:x']],
  ])('[G18] refuses %s', async (_, headers) => {
    for (const request of [
      tokenRequest({ without: ['host'], headers }),
      `GET /jwks HTTP/1.1\r\n${headers.map((each) => `${each}\r\n`).join('')}\r\n`,
    ])
      expect(await refusal(request)).toMatchObject({ status: 400, error: 'invalid_request', reason: 'host_malformed' })
  })

  it.each([
    '/token/',
    '/TOKEN',
    '/token;x=1',
    '/./token',
    '/x/../token',
    '/%74oken',
    '/tok%65n',
    '/token%00',
    '/token%2f',
    '/%zz',
    '/token#x',
    '/nothing',
    '/constructor',
    '/',
  ])('[G20] has nothing at %s', async (target) => {
    for (const on of ['public', 'mutualTls'] as const)
      expect(await refusal(tokenRequest({ target }), on)).toMatchObject({
        status: 404,
        error: 'not_found',
        reason: 'endpoint_unknown',
      })
  })

  it.each(['//evil.test/token', 'https://evil.test/token', 'http://localhost/token', '*'])(
    '[G20] refuses the target %s',
    async (target) => {
      const refused = await refusal(tokenRequest({ target, method: target === '*' ? 'OPTIONS' : 'POST' }))
      expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'request_target_malformed' })
      expect(refused.answer.headers.connection).toBe('close')
    },
  )

  it.each(['\\token', 'token', '/tok\u00e9n'])('[G20] refuses the target %s, which is none', async (target) => {
    expect(await refusal(tokenRequest({ target }))).toMatchObject({ status: 400, reason: 'request_malformed' })
  })

  it('[G21] names itself by its settings, whatever Host and X-Forwarded-Host say', async () => {
    const path = '/.well-known/oauth-authorization-server'
    const usual = await server.send({ on: 'public', method: 'GET', path, headers: {} })
    const foreign = await server.send({
      on: 'public',
      method: 'GET',
      path,
      headers: {
        host: 'evil.test',
        'x-forwarded-host': 'evil.test',
        'x-forwarded-proto': 'http',
        forwarded: 'host=evil.test',
      },
    })
    expect(foreign.status).toBe(200)
    expect(foreign.text).toBe(usual.text)
    expect(foreign.json.issuer).toBe(server.issuer)
  })
})

describe('Fetch: cross-origin requests', () => {
  const origin = 'https://app.test'
  it.each(posted)('[G22] lets no other origin read %s', async (target) => {
    const answer = await talk(server, tokenRequest({ target, headers: [`origin: ${origin}`] }))
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it.each(posted)('[G23] allows no preflight at %s', async (path) => {
    const answer = await server.send({
      on: 'public',
      method: 'OPTIONS',
      path,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'dpop, authorization',
      },
    })
    expect(answer.status).toBe(405)
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/jwks'])(
    '[G22] lets everybody read %s, without credentials',
    async (path) => {
      const answer = await server.send({ on: 'public', method: 'GET', path, headers: { origin } })
      expect(answer.headers['access-control-allow-origin']).toBe('*')
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials')
    },
  )
})
