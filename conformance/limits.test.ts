import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { type Guessing, guessable, guessings, verifiers } from './guesses.ts'
import { basic, declined, type Harness, startServer } from './harness.ts'
import { validRequest } from './visit.ts'

const elsewhere = '127.0.0.2'

describe('[T42] guesses', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer(guessable)
    server.freeze()
  })
  afterAll(() => server.close())

  const exhausted = (from: number, { reason }: Guessing) =>
    server.reports.slice(from).filter((each) => each.reason === reason).length

  it.each([...guessings, verifiers])(
    'of $name that are made at once are answered up to the limit',
    async (guessing) => {
      server.advance(3600)
      const guess = await guessing.prepare([server])
      const from = server.reports.length
      await Promise.all(Array.from({ length: 64 }, () => guess(server, 'wrong')))
      expect(64 - exhausted(from, guessing)).toBe(guessing.most)
      expect((await guess(server, 'right')).status).toBe(guessing.status)
      expect(exhausted(from, guessing)).toBe(64 - guessing.most + 1)
    },
  )

  it.each(guessings)('of $name go on elsewhere, and here when the time is over that was told', async (guessing) => {
    server.advance(3600)
    const guess = await guessing.prepare([server])
    for (let made = 0; made < guessing.most; made++) await guess(server, 'wrong')
    const refused = await guess(server, 'right')
    const another = await guessing.prepare([server])
    expect(refused.status).toBe(429)
    expect((await another(server, 'right', elsewhere)).status).toBeLessThan(400)
    const wait = Number(refused.headers['retry-after'])
    server.advance(wait - 1)
    expect((await guess(server, 'right')).status).toBe(429)
    server.advance(1)
    expect((await guess(server, 'right')).status).toBeLessThan(400)
  })
})

const script = {
  client_id: 'script',
  token_endpoint_auth_method: 'none',
  scope: 'api1',
  grant_types: ['authorization_code'],
  redirect_uris: ['https://app.test/'],
  web_origins: ['https://app.test'],
} as const

describe('requests of an address', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => ({
      ...settings,
      limits: { requestsPerAddress: 10 },
      clients: [...(settings.clients ?? []), script],
    }))
    server.freeze()
  })
  afterAll(() => server.close())

  const ask = (from?: string) => server.token({}, from ? { from } : {})
  const exhaust = async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++) expect((await ask()).status).toBe(200)
  }

  it('are answered up to the limit, then with 429 and how long to wait', async () => {
    await exhaust()
    const { status, error, reason, answer } = await declined(server, ask())
    expect({ status, error, reason }).toEqual({
      status: 429,
      error: 'too_many_requests',
      reason: 'address_requests_exhausted',
    })
    expect(answer.headers['retry-after']).toBe('60')
    server.advance(59)
    expect((await ask()).status).toBe(429)
    server.advance(1)
    expect((await ask()).status).toBe(200)
  })

  it('are not those of another address', async () => {
    await exhaust()
    expect((await ask(elsewhere)).status).toBe(200)
  })

  it.each([
    ['an address that is not served', 'public', 'GET', '/nothing'],
    ['an address that is none', 'public', 'GET', '/%zz'],
    ['a method that is not served', 'public', 'DELETE', '/token'],
    ['metadata', 'public', 'GET', '/.well-known/openid-configuration'],
    ['the listener for certificates', 'mutualTls', 'POST', '/token'],
    ['an address that this listener does not serve', 'mutualTls', 'GET', '/authorize'],
  ] as const)('are limited at %s', async (_, on, method, path) => {
    await exhaust()
    const { status, headers } = await server.send({ on, method, path, headers: {} })
    expect([status, headers['retry-after']]).toEqual([429, '60'])
  })

  it('are declined without a look at the client that they name, also for a script', async () => {
    const origin = 'https://app.test'
    const asScript = () =>
      server.post('/token', { grant_type: 'client_credentials' }, { headers: { origin, ...basic('client', 'secret') } })
    server.advance(60)
    expect((await asScript()).headers).not.toHaveProperty('access-control-allow-origin')
    await exhaust()
    const { status, headers } = await asScript()
    expect([status, headers['access-control-allow-origin']]).toEqual([429, origin])
  })

  it('are declined with a page where people look', async () => {
    await exhaust()
    const { status, headers } = await openBrowser(server).authorize(validRequest)
    expect([status, headers['content-type'], headers['retry-after']]).toEqual([429, 'text/html; charset=utf-8', '60'])
  })
})

describe('requests of a client', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => ({ ...settings, limits: { requestsPerClient: 10 } }))
    server.freeze()
  })
  afterAll(() => server.close())

  const revoke = (from?: string) =>
    server.post('/revoke', { client_id: 'public', token: 'unknown' }, from ? { from } : {})
  const exhaust = async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++) expect((await server.token()).status).toBe(200)
  }

  it('are answered up to the limit, then with 429 and how long to wait, wherever it comes from', async () => {
    await exhaust()
    const { status, error, reason, answer } = await declined(server, server.token({}, { from: elsewhere }))
    expect({ status, error, reason }).toEqual({
      status: 429,
      error: 'too_many_requests',
      reason: 'client_requests_exhausted',
    })
    expect(answer.headers['retry-after']).toBe('60')
    server.advance(60)
    expect((await server.token()).status).toBe(200)
  })

  it('are not those of another client', async () => {
    await exhaust()
    expect((await server.token({ client_id: 'other', client_secret: 'other-secret' })).status).toBe(200)
  })

  it('are not used up by who does not know its secret', async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++)
      expect((await server.token({ client_secret: 'wrong' }, { from: elsewhere })).status).toBe(401)
    expect((await server.token()).status).toBe(200)
  })

  it('without a secret are counted by address: nobody uses up what is left to others', async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++) expect((await revoke(elsewhere)).status).toBe(200)
    expect((await revoke(elsewhere)).status).toBe(429)
    expect((await revoke()).status).toBe(200)
  })
})

describe('what strangers begin', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => ({ ...guessable(settings), limits: { startsPerAddress: 10 } }))
    server.freeze()
  })
  afterAll(() => server.close())

  const visit = (from?: string) => openBrowser(server).authorize(validRequest, from ? { from } : {})
  const begin = () => server.post('/device_authorization', { client_id: 'device' })
  const pushOf = (client: Readonly<Record<string, string>>) => server.post('/par', { ...validRequest, ...client })

  it('at one address is begun up to the limit, then there is a page with 429', async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++) expect((await visit()).status).toBe(200)
    const { status, headers } = await visit()
    expect([status, headers['content-type'], headers['retry-after']]).toEqual([429, 'text/html; charset=utf-8', '60'])
    expect((await visit(elsewhere)).status).toBe(200)
    server.advance(60)
    expect((await visit()).status).toBe(200)
  })

  it('is devices too; what a client with a secret begins is not counted', async () => {
    server.advance(60)
    for (let made = 0; made < 10; made++) expect((await begin()).status).toBe(200)
    expect(await declined(server, begin())).toMatchObject({ status: 429, reason: 'starts_exhausted' })
    expect((await pushOf({ client_secret: 'secret' })).status).toBe(201)
  })
})
