import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { encodeBase64url } from '../foundation/base64url.ts'
import { type Client, type ClientOptions, createClient } from './client.ts'
import { ClientError } from './client-error.ts'
import type { ClientContext } from './context.ts'

const issuer = 'https://as.example'
const own = { thumbprint: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0' }
const other = 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0'

const metadata: Readonly<Record<string, unknown>> = {
  issuer,
  token_endpoint: `${issuer}/token`,
  revocation_endpoint: `${issuer}/revoke`,
  introspection_endpoint: `${issuer}/introspect`,
}
const aliases = {
  token_endpoint: 'https://mtls.as.example/token',
  revocation_endpoint: 'https://mtls.as.example/revoke',
}
const granted = { access_token: 'opaque', token_type: 'Bearer', expires_in: 300 }

describe('RFC 8414 §3 finding the authorization server', () => {
  it('reads its metadata at the well-known address, once', async () => {
    const { client, urls } = world({})
    await client.token()
    await client.token({ scope: 'another' })
    expect(urls).toEqual([`${issuer}/.well-known/oauth-authorization-server`, `${issuer}/token`, `${issuer}/token`])
  })

  it('falls back to the address of OpenID Connect after 404', async () => {
    const { client, urls } = world({
      '/.well-known/oauth-authorization-server': () => new Response('', { status: 404 }),
    })
    await client.token()
    expect(urls[1]).toBe(`${issuer}/.well-known/openid-configuration`)
  })

  it.each([`${issuer}/`, 'https://AS.example', 'https://as.example:443', 'https://evil.example', undefined])(
    '[RFC9207-4-1] [C01] refuses metadata of another issuer: %s',
    async (wrong) => {
      await expectReason(world({ metadata: { ...metadata, issuer: wrong } }).client.token(), 'issuer_mismatch')
    },
  )

  it.each([
    'http://as.example/token',
    'ftp://as.example/token',
    'javascript:alert(1)',
    'https://user:pass@as.example/token',
    'https://as.example/token#x',
  ])(
    '[RFC6749-3.2-6, RFC6749-10.3-3, RFC6749-10.8-1] [C03] refuses an endpoint that is not https: %s',
    async (token_endpoint) => {
      await expectReason(world({ metadata: { ...metadata, token_endpoint } }).client.token(), 'endpoint_not_https')
      const aliased = { ...metadata, mtls_endpoint_aliases: { token_endpoint } }
      await expectReason(world({ metadata: aliased }).client.token(), 'endpoint_not_https')
    },
  )

  it.each([
    { token_endpoint: 7 },
    { token_endpoint: '/token' },
    { mtls_endpoint_aliases: 'x' },
    { token_endpoint_auth_methods_supported: 'client_secret_basic' },
    { tls_client_certificate_bound_access_tokens: 'true' },
  ])('refuses malformed metadata: %j', async (wrong) => {
    await expectReason(world({ metadata: { ...metadata, ...wrong } }).client.token(), 'metadata_malformed')
  })

  it('says so when there is no metadata, or not the endpoint', async () => {
    const nothing = () => new Response('', { status: 404 })
    const none = world({
      '/.well-known/oauth-authorization-server': nothing,
      '/.well-known/openid-configuration': nothing,
    })
    await expectReason(none.client.token(), 'metadata_unavailable')
    await expectReason(world({ metadata: { issuer } }).client.token(), 'endpoint_missing')
  })

  it.each(['http://as.example', 'as.example', 'https://as.example?x', 'https://as.example#', 'https://u@as.example'])(
    'is not begun for an issuer that cannot be one: %s',
    (wrong) => {
      expect(() => world({}, { issuer: wrong })).toThrow(expect.objectContaining({ reason: 'issuer_malformed' }))
    },
  )
})

describe('RFC 8705 §5 aliases', () => {
  const aliased = { ...metadata, tls_client_certificate_bound_access_tokens: true, mtls_endpoint_aliases: aliases }

  it('[RFC8705-5-3] [RFC8705-5-4] [C04] are used by a client with a certificate, each absent one falls back', async () => {
    const { client, urls } = world({ metadata: aliased }, { certificate: own })
    await client.token()
    await client.revoke('opaque')
    await client.introspect('opaque')
    expect(urls.slice(1)).toEqual([aliases.token_endpoint, aliases.revocation_endpoint, `${issuer}/introspect`])
  })

  it('are not used by a client without one', async () => {
    const { client, urls } = world({ metadata: aliased })
    await client.token()
    expect(urls.at(-1)).toBe(`${issuer}/token`)
  })
})

describe('RFC 8705 §3.1 binding', () => {
  it('[C14] takes a JWT that is bound to the own certificate', async () => {
    const cnf = { 'x5t#S256': own.thumbprint }
    const { client } = world({ token: { ...granted, access_token: jwt({ cnf }) } }, { certificate: own })
    expect((await client.token()).confirmation).toEqual(cnf)
  })

  it.each([
    ['to nothing', {}, 'token_unbound'],
    ['to a key of DPoP', { cnf: { jkt: own.thumbprint } }, 'token_unbound'],
    ['to something malformed', { cnf: { 'x5t#S256': 'short' } }, 'token_unbound'],
    ['to another certificate', { cnf: { 'x5t#S256': other } }, 'token_bound_elsewhere'],
  ])('[C14] refuses a JWT that is bound %s', async (_, claims, reason) => {
    const { client } = world({ token: { ...granted, access_token: jwt(claims) } }, { certificate: own })
    await expectReason(client.token(), reason)
  })

  it('takes an opaque token only from a server that says it binds tokens', async () => {
    const promising = { ...metadata, tls_client_certificate_bound_access_tokens: true }
    await world({ metadata: promising }, { certificate: own }).client.token()
    await expectReason(world({}, { certificate: own }).client.token(), 'token_unbound')
  })

  it('takes any token when no binding was asked for', async () => {
    await world({}, { certificate: own, binding: 'none' }).client.token()
  })

  it('is asked for by every other word', async () => {
    const { client } = world({}, { certificate: own, binding: 'Certificate' as 'certificate' })
    await expectReason(client.token(), 'token_unbound')
  })

  it('cannot be asked for without a certificate', () => {
    expect(() => world({}, { binding: 'certificate' })).toThrow(
      expect.objectContaining({ reason: 'certificate_missing' }),
    )
  })
})

describe('RFC 6749 §5.1 the token response', () => {
  it('gives type, expiry and scope', async () => {
    const { client } = world({ token: { ...granted, token_type: 'bEARER', scope: 'api1' } })
    expect(await client.token()).toMatchObject({ token_type: 'Bearer', expires: 1300, scope: 'api1' })
  })

  it('does not show the token to logs', async () => {
    const token = await world({ token: { ...granted, access_token: 'canary' } }).client.token()
    expect(token.access_token).toBe('canary')
    expect(inspect(token, { depth: 9 }) + JSON.stringify(token) + JSON.stringify({ ...token })).not.toContain('canary')
  })

  it.each([-1, 0, '300', '1e3', null, [300], true])('[C10] refuses expires_in %j', async (expires_in) => {
    await expectReason(world({ token: { ...granted, expires_in } }).client.token(), 'response_malformed')
  })

  it('[C10] believes expires_in for a day at most', async () => {
    expect((await world({ token: { ...granted, expires_in: 86_400 } }).client.token()).expires).toBe(1000 + 86_400)
    expect((await world({ token: { ...granted, expires_in: 1e12 } }).client.token()).expires).toBe(1000 + 86_400)
  })

  it.each([
    ['[RFC6749-7.1-1] another type', { token_type: 'DPoP' }, 'token_type_unexpected'],
    ['no type', { token_type: undefined }, 'response_malformed'],
    ['no token', { access_token: undefined }, 'response_malformed'],
    ['an empty token', { access_token: '' }, 'response_malformed'],
    ['[RFC6749-10.14-2] a token that would break the header', { access_token: 'a\r\nb' }, 'response_malformed'],
    ['a token that is too long', { access_token: 'a'.repeat(16_385) }, 'response_malformed'],
    ['a scope that is no text', { scope: ['api1'] }, 'response_malformed'],
  ])('refuses %s', async (_, wrong, reason) => {
    await expectReason(world({ token: { ...granted, ...wrong } }).client.token(), reason)
  })
})

describe('the answer of an endpoint', () => {
  it.each([301, 302, 303, 307, 308])('[C21] is never a redirect that is followed: %i', async (status) => {
    const { client, urls } = world({
      '/token': () => new Response('', { status, headers: { location: '/elsewhere' } }),
    })
    await expectReason(client.token(), 'redirect_refused')
    expect(urls).toHaveLength(2)
  })

  it('[RFC6749-10.1-1] [C25] is told in short, without secrets', async () => {
    const error_description = `secret=s3cr3t-v4lue, encoded ${btoa('client:s3cr3t-v4lue')} ${'x'.repeat(1_000_000)}`
    const body = JSON.stringify({ error: 'invalid_client', error_description })
    const answer = { '/token': () => new Response(body, { status: 401 }) }
    const { client } = world(answer, { client_secret: 's3cr3t-v4lue' })
    const error = await client.token().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ reason: 'request_refused', status: 401, error: 'invalid_client' })
    expect(String(error).length).toBeLessThan(400)
    expect(inspect(error, { depth: 9 })).not.toMatch(/s3cr3t|czNjcjN0/)
  })

  it('has a limit', async () => {
    const within = JSON.stringify({ ...granted, x: 'x'.repeat(2 * 1024 * 1024 - 100) })
    await world({ '/token': () => new Response(within) }).client.token()
    const beyond = `${within}${' '.repeat(200)}`
    await expectReason(world({ '/token': () => new Response(beyond) }).client.token(), 'response_too_large')
  })

  it('[C24] names a clock that is wrong when a request is refused', async () => {
    const date = new Date(1_600_000).toUTCString()
    const refused = () => new Response('{"error":"invalid_client"}', { status: 401, headers: { date } })
    await expect(world({ '/token': refused }).client.token()).rejects.toThrow(/600 s behind/)
  })

  it.each(['Retry-After: 7', `Retry-After: ${new Date(1_007_000).toUTCString()}`])(
    '[C23] 503 is asked again after the time that it names: %s',
    async (line) => {
      const busy = [new Response('', { status: 503, headers: { 'retry-after': line.slice(13) } })]
      const { client, waits } = world({ '/token': () => busy.pop() ?? Response.json(granted) })
      await client.token()
      expect(waits).toEqual([7])
    },
  )

  it('[C23] 503 is given up after two waits, and at once when the wait would pass the deadline', async () => {
    const busy = (seconds: number) => () =>
      new Response('', { status: 503, headers: { 'retry-after': String(seconds) } })
    const patient = world({ '/token': busy(2) })
    await expectReason(patient.client.token(), 'server_unavailable')
    expect(patient.waits).toEqual([2, 2])
    const within = world({ '/token': busy(29) })
    await expectReason(within.client.token(), 'server_unavailable')
    expect(within.waits).toEqual([29])
    const beyond = world({ '/token': busy(30) })
    await expectReason(beyond.client.token(), 'server_unavailable')
    expect(beyond.waits).toEqual([])
  })

  it('[C23] that never comes ends with the deadline', async () => {
    const { client } = world({ '/token': () => new Promise<Response>(() => undefined) }, { timeout: 0.05 })
    await expectReason(client.token(), 'deadline_exceeded')
  })

  it('[C27] may be anything: 10000 malformed ones give a typed error', async () => {
    const chance = mulberry32(20_260_101)
    const reasons = new Set<string>()
    for (let i = 0; i < 10_000; i++) {
      const where = ['/token', '/introspect', '/revoke', '/.well-known/oauth-authorization-server'][i % 4] ?? ''
      const { client } = world({ [where]: () => mangled(where, chance) }, i % 3 ? {} : { certificate: own })
      const calls = { '/introspect': () => client.introspect('x'), '/revoke': () => client.revoke('x') }
      try {
        await (calls[where as '/revoke'] ?? client.token)()
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError)
        expect(String(error).length).toBeLessThan(1000)
        reasons.add((error as ClientError).reason)
      }
    }
    expect(reasons.size).toBeGreaterThan(8)
  })
})

describe('a connection that was lost', () => {
  it('is replaced once, and the client authenticates anew', async () => {
    let lost = 1
    let count = 0
    const answer = () => {
      if (lost-- > 0) throw new ClientError('connection_lost')
      return Response.json(granted)
    }
    const authentication = () => ({ form: { client_assertion: `${++count}` } })
    const { client, forms } = world({ '/token': answer }, { authentication })
    await client.token()
    expect(forms.map((form) => form.get('client_assertion'))).toEqual(['1', '2'])
    lost = 2
    await expectReason(client.token({ scope: 'another' }), 'connection_lost')
  })

  it('is replaced once when metadata are read', async () => {
    let lost = 1
    const answer = () => {
      if (lost-- > 0) throw new ClientError('connection_lost')
      return Response.json(metadata)
    }
    await world({ '/.well-known/oauth-authorization-server': answer }).client.token()
  })
})

describe('keeping tokens', () => {
  it('[C22] makes one request for 1000 calls at once, and one more when the token has expired', async () => {
    const { client, urls, clock } = world({})
    await Promise.all(Array.from({ length: 1000 }, () => client.token()))
    expect(urls.filter((url) => url.endsWith('/token'))).toHaveLength(1)
    clock.now += 301
    await Promise.all(Array.from({ length: 1000 }, () => client.token()))
    expect(urls.filter((url) => url.endsWith('/token'))).toHaveLength(2)
  })

  it.each([
    ['0', 0, 225],
    ['255', 255, 255],
  ])('renews in the last quarter of its life, by chance: %s', async (_, byte, renewal) => {
    const { client, urls, clock } = world({}, {}, { random: (length) => new Uint8Array(length).fill(byte) })
    await client.token()
    clock.now += renewal - 1
    await client.token()
    expect(urls).toHaveLength(2)
    clock.now += 1
    await client.token()
    expect(urls).toHaveLength(3)
  })

  it('uses a token to its end while the server is out of reach, and asks every five seconds', async () => {
    let down = false
    const answer = () => (down ? new Response('', { status: 500 }) : Response.json(granted))
    const { client, urls, clock } = world({ '/token': answer })
    await client.token()
    down = true
    clock.now += 280
    await client.token()
    clock.now += 4
    await client.token()
    expect(urls).toHaveLength(3)
    clock.now += 1
    await client.token()
    expect(urls).toHaveLength(4)
    clock.now += 14
    await client.token()
    clock.now += 1
    await expectReason(client.token(), 'server_unavailable')
  })

  it('keeps one for each scope and resource', async () => {
    const { client, forms } = world({}, { scope: 'api1' })
    await client.token()
    await client.token({ resource: ['urn:a', 'urn:b'] })
    await client.token({ scope: 'api2' })
    await client.token()
    expect(forms.map((form) => form.toString())).toEqual([
      'grant_type=client_credentials&scope=api1&client_id=client',
      'grant_type=client_credentials&scope=api1&resource=urn%3Aa&resource=urn%3Ab&client_id=client',
      'grant_type=client_credentials&scope=api2&client_id=client',
    ])
  })

  it('forgets one that was revoked', async () => {
    const { client, urls } = world({})
    await client.revoke(await client.token())
    await client.token()
    expect(urls.filter((url) => url.endsWith('/token'))).toHaveLength(2)
  })
})

describe('RFC 7662 introspection', () => {
  it('gives what the server says', async () => {
    expect(await world({}).client.introspect('opaque')).toEqual({ active: true })
  })

  it.each(['{}', '{"active":"true"}', '[]', ''])('refuses %s', async (body) => {
    await expectReason(world({ '/introspect': () => new Response(body) }).client.introspect('x'), 'response_malformed')
  })
})

type Answers = Record<string, (() => Response | Promise<Response>) | object>

/** A server of one line per path, a clock that stands still, and a record of what was asked. */
function world(answers: Answers, options: Partial<ClientOptions> = {}, context: Partial<ClientContext> = {}) {
  const urls: string[] = []
  const forms: URLSearchParams[] = []
  const waits: number[] = []
  const clock = { now: 1000 }
  const fetch: ClientContext['fetch'] = async (input, init) => {
    const { pathname } = new URL(String(input))
    urls.push(String(input))
    if (init?.body !== undefined) forms.push(new URLSearchParams(String(init.body)))
    const answer = answers[pathname] ?? defaults(pathname, answers)
    const response = typeof answer === 'function' ? Promise.resolve(answer()) : Promise.resolve(Response.json(answer))
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
    return await Promise.race([response, aborted])
  }
  const wait = async (length: number) => {
    waits.push(length)
    clock.now += length
  }
  const base = { fetch, now: () => clock.now, wait }
  const client: Client = createClient({ issuer, client_id: 'client', ...options }, { ...base, ...context })
  return { client, urls, forms, waits, clock }
}

function defaults(pathname: string, answers: Answers): object {
  if (pathname === '/token') return answers.token ?? granted
  if (pathname === '/introspect') return { active: true }
  return pathname === '/revoke' ? {} : (answers.metadata ?? metadata)
}

async function expectReason(call: Promise<unknown>, reason: string): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ reason })
}

function jwt(claims: object): string {
  const part = (value: object) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
  return `${part({ alg: 'ES256' })}.${part(claims)}.AAAA`
}

/** A good answer with a few bytes or members changed, a strange status, or a body that breaks off. */
function mangled(where: string, chance: () => number): Response {
  const good =
    where === '/token' ? granted : where.startsWith('/.') ? { ...metadata, mtls_endpoint_aliases: aliases } : {}
  const values = [null, -1, '', 'x'.repeat(5000), [], {}, { a: [[[]]] }, 1e308, '\u0000', '__proto__', true, 'http://x']
  const names = Object.keys(good)
  const name = names[Math.floor(chance() * names.length)] ?? 'error'
  const changed = {
    ...good,
    [name]: values[Math.floor(chance() * values.length)],
    error: values[Math.floor(chance() * 12)],
  }
  const bytes = new TextEncoder().encode(JSON.stringify(chance() < 0.6 ? changed : good))
  for (let i = 0; i < chance() * 4; i++) bytes[Math.floor(chance() * bytes.length)] = Math.floor(chance() * 256)
  const status = [200, 200, 200, 200, 201, 302, 400, 401, 404, 429, 500, 503, 599][Math.floor(chance() * 13)] ?? 200
  const headers = { 'retry-after': String(values[Math.floor(chance() * 4)] ?? 'x').slice(0, 20), date: 'yesterday' }
  if (chance() > 0.9) return new Response(broken(bytes), { status, headers })
  return new Response(chance() < 0.1 ? bytes.slice(0, chance() * bytes.length) : bytes, { status, headers })
}

function broken(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes)
      controller.error(new TypeError('terminated'))
    },
  })
}

/** A small generator with a seed, so that a failure can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
