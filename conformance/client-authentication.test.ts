import { argon2Sync, hash, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { assertionType, baseClients, basic, declined, type Form, type Harness, startServer } from './harness.ts'

const odd = 'ä:+%&= "\\ß'
const generated = randomBytes(32).toString('base64url')
const chosen = 'correct horse battery staple'

let server: Harness
beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    clients: [
      ...baseClients,
      { client_id: 'odd%+&', client_secret: odd, scope: 'api1' },
      { client_id: 'only-basic', client_secret: 's', token_endpoint_auth_method: 'client_secret_basic', scope: 'api1' },
      { client_id: 'only-post', client_secret: 's', token_endpoint_auth_method: 'client_secret_post', scope: 'api1' },
      { client_id: 'generated', client_secret_hash: `sha256:${hash('sha256', generated, 'base64url')}`, scope: 'api1' },
      { client_id: 'chosen', client_secret_hash: argon2id(chosen, 256, 1), scope: 'api1' },
      { client_id: 'heavy', client_secret_hash: argon2id(chosen, 65_536, 4), scope: 'api1' },
      { client_id: 'sudden', client_secret_hash: argon2id(chosen, 19_456, 2), scope: 'api1' },
      { client_id: 'slow', client_secret_hash: argon2id(chosen, 65_536, 4), scope: 'api1' },
    ],
  }))
})
afterAll(() => server.close())
afterEach(async () => {
  expect((await server.token()).status, 'still serves').toBe(200)
})

/** A token request without credentials, but for those that are given. */
function ask(credentials: Form, headers = {}) {
  return server.token({ client_id: undefined, client_secret: undefined, ...credentials }, { headers })
}

describe('RFC 6749 §2.3.1 client secrets', () => {
  it('take the secret in the form', async () => {
    expect((await ask({ client_id: 'client', client_secret: 'secret' })).status).toBe(200)
  })

  it('[RFC6749-2.3.1-1] take the same secret by Basic', async () => {
    expect((await ask({}, basic('client', 'secret'))).status).toBe(200)
  })

  it('take the scheme in any case, and client_id beside it', async () => {
    const { authorization } = basic('client', 'secret')
    const headers = { authorization: authorization.replace('Basic', 'bAsIc') }
    expect((await ask({ client_id: 'client' }, headers)).status).toBe(200)
  })

  it('[RFC6749-2.3.1-2] decode both parts of Basic as a form does', async () => {
    expect((await ask({}, basic('odd%+&', odd))).status).toBe(200)
    const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
    const plus = Buffer.from(`${encode('odd%+&')}:${encode(odd)}`).toString('base64')
    expect((await ask({}, { authorization: `Basic ${plus}` })).status).toBe(200)
  })

  it('[T02] [T03] answer an unknown client and a wrong secret with the same bytes', async () => {
    const unknown = await declined(server, ask({}, basic('nobody', 'secret')))
    const wrong = await declined(server, ask({}, basic('client', 'Secret')))
    expect(unknown).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_unknown' })
    expect(wrong).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
    expect(wrong.answer.text).toBe(unknown.answer.text)
    const { date: _, ...headers } = wrong.answer.headers
    expect(unknown.answer.headers).toMatchObject(headers)
  })

  it('[RFC6749-5.2-2] [T03] challenge where Basic was used, and only there', async () => {
    const { answer } = await declined(server, ask({}, basic('client', 'wrong')))
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm="/)
    const posted = await declined(server, ask({ client_id: 'client', client_secret: 'wrong' }))
    expect(posted).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
    expect(posted.answer.headers).not.toHaveProperty('www-authenticate')
  })

  it.each([
    ['Basic and client_secret', { client_secret: 'secret' }, basic('client', 'secret')],
    [
      'Basic and client_assertion',
      { client_assertion: 'a.b.c', client_assertion_type: assertionType },
      basic('client', 'secret'),
    ],
    [
      'client_secret and client_assertion',
      {
        client_id: 'client',
        client_secret: 'secret',
        client_assertion: 'a.b.c',
        client_assertion_type: assertionType,
      },
      {},
    ],
  ])('[RFC6749-2.3-1] [T05] refuse %s in one request', async (_, form, headers) => {
    const refusal = await declined(server, ask(form, headers))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'client_authentication_doubled' })
  })

  it('[T06] refuse a client_id in the form that is not that of Basic', async () => {
    const refusal = await declined(server, ask({ client_id: 'other' }, basic('client', 'secret')))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'client_id_differs' })
  })

  it.each([
    ['no base64', 'Basic *client:secret*'],
    ['base64url', `Basic ${Buffer.from('client:sëcret?>').toString('base64').replaceAll('/', '_')}-_`],
    ['nothing', 'Basic'],
    ['two tokens', `Basic ${Buffer.from('client:secret').toString('base64')} x`],
    ['no colon', `Basic ${Buffer.from('client').toString('base64')}`],
    ['no client_id', `Basic ${Buffer.from(':secret').toString('base64')}`],
    ['a broken percent sequence', `Basic ${Buffer.from('client:secret%4').toString('base64')}`],
    ['no UTF-8 behind the percent signs', `Basic ${Buffer.from('client:secret%C3%28').toString('base64')}`],
    ['no UTF-8', `Basic ${Buffer.from([...Buffer.from('client:secret'), 0xc3]).toString('base64')}`],
  ])('[T07] refuse Basic with %s', async (_, authorization) => {
    const refusal = await declined(server, ask({}, { authorization }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'basic_malformed' })
  })

  it('refuse a second Authorization header', async () => {
    const { authorization } = basic('client', 'secret')
    const refusal = await declined(server, ask({}, { authorization: [authorization, authorization] }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'header_repeated' })
  })

  it('refuse a scheme that is none of client authentication', async () => {
    const refusal = await declined(server, ask({ client_id: 'client' }, { authorization: 'Bearer secret' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'authorization_scheme_unknown' })
  })

  it('[RFC6749-2.3.1-3] refuse credentials in the address', async () => {
    const form = { grant_type: 'client_credentials' }
    const refusal = await declined(server, server.post('/token?client_id=client&client_secret=secret', form))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'parameter_in_query' })
  })

  it('[RFC6749-2.3.2-1] are taken only in the way that the registration names, where it names one', async () => {
    expect((await ask({}, basic('only-basic', 's'))).status).toBe(200)
    expect((await ask({ client_id: 'only-post', client_secret: 's' })).status).toBe(200)
    for (const refusal of [
      await declined(server, ask({ client_id: 'only-basic', client_secret: 's' })),
      await declined(server, ask({}, basic('only-post', 's'))),
    ])
      expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_method_not_registered' })
  })

  it('[RFC6749-3.2.1-1, RFC6749-2.2-1, RFC6749-4.4.2-1, RFC6749-10.2-1] are not optional', async () => {
    const refusal = await declined(server, ask({ client_id: 'client' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_credentials_missing' })
  })

  it('[RFC6749-4.1.3-4] [T09] are refused from a client that is registered without one', async () => {
    const refusal = await declined(server, ask({ client_id: 'public', client_secret: 'secret' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_method_not_registered' })
  })

  it('[T43] do not help a disabled client, and it reads like a wrong one', async () => {
    const disabled = await declined(server, ask({ client_id: 'disabled', client_secret: 'secret' }))
    expect(disabled).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_disabled' })
    const wrong = await declined(server, ask({ client_id: 'client', client_secret: 'wrong' }))
    expect(disabled.answer.text).toBe(wrong.answer.text)
  })

  it.each(['/token', '/introspect', '/revoke'])('are asked for at %s', async (path) => {
    const form = { grant_type: 'client_credentials', token: 'x' }
    const refusal = await declined(server, server.post(path, form, { headers: basic('client', 'wrong') }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
  })
})

describe('secrets at rest', () => {
  it.each([
    ['generated', generated],
    ['chosen', chosen],
  ])('of the %s kind are a hash, and only the secret itself passes', async (client_id, client_secret) => {
    expect((await ask({ client_id, client_secret })).status).toBe(200)
    for (const wrong of [`${client_secret} `, client_secret.slice(1), client_secret.toUpperCase()]) {
      const refusal = await declined(server, ask({ client_id, client_secret: wrong }))
      expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
    }
    expect((await ask({ client_id, client_secret })).status).toBe(200)
  })

  it('are stretched two at once: who waits longer than a second gets 503', async () => {
    const wrong = { client_id: 'slow', client_secret: 'wrong' }
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(wrong)))
    const [busy, judged] = [503, 401].map((status) => answers.filter((answer) => answer.status === status))
    expect(judged?.length).toBeGreaterThan(0)
    expect((busy?.length ?? 0) + (judged?.length ?? 0)).toBe(60)
    expect(busy?.[0]?.json.error).toBe('temporarily_unavailable')
    expect(busy?.[0]?.headers['retry-after']).toBe('1')
  })

  it('are stretched once per client and process', async () => {
    const right = { client_id: 'heavy', client_secret: chosen }
    expect((await ask(right)).status).toBe(200)
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(right)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  })

  it('are not stretched again for those who waited while it was paid', async () => {
    const right = { client_id: 'sudden', client_secret: chosen }
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(right)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  })
})

describe('[T42] guessing secrets', () => {
  it('[RFC6749-2.3.1-4] ends after twenty wrong ones of a client from an address, for a minute and nobody else', async () => {
    server.freeze()
    const wrong = () => ask({ client_id: 'other', client_secret: 'guess' })
    for (let count = 0; count < 20; count++) expect((await wrong()).status).toBe(401)
    const refusal = await declined(server, ask({ client_id: 'other', client_secret: 'other-secret' }))
    expect(refusal).toMatchObject({ status: 429, error: 'too_many_requests', reason: 'client_attempts_exhausted' })
    const wait = Number(refusal.answer.headers['retry-after'])
    expect(wait).toBeGreaterThan(0)

    expect((await ask({ client_id: 'client', client_secret: 'secret' })).status).toBe(200)
    const elsewhere = { client_id: 'other', client_secret: 'other-secret' }
    expect((await server.token(elsewhere, { from: '127.0.0.2' })).status).toBe(200)

    server.advance(wait - 1)
    expect((await server.token(elsewhere)).status).toBe(429)
    server.advance(1)
    expect((await server.token(elsewhere)).status).toBe(200)
  })

  it('counts an unknown client like a known one', async () => {
    const guess = () => ask({ client_id: 'nobody', client_secret: 'guess' })
    for (let count = 0; count < 20; count++) expect((await guess()).status).toBe(401)
    expect((await guess()).status).toBe(429)
  })

  it('counts unknown clients together: made-up names push no count out of memory', async () => {
    server.advance(60)
    const guess = (name: number) => ask({ client_id: `nobody-${name}`, client_secret: 'guess' })
    for (let name = 0; name < 20; name++) expect((await guess(name)).status).toBe(401)
    expect((await guess(20)).status).toBe(429)
    expect((await ask({ client_id: 'client', client_secret: 'secret' })).status).toBe(200)
    server.advance(60)
    expect((await guess(21)).status).toBe(401)
  })
})

/** The hash of a chosen secret, as PHC strings write it. RFC 9106. */
function argon2id(secret: string, memory: number, passes: number): string {
  const nonce = randomBytes(16)
  const tag = argon2Sync('argon2id', { message: secret, nonce, memory, passes, parallelism: 1, tagLength: 32 })
  const encode = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$argon2id$v=19$m=${memory},t=${passes},p=1$${encode(nonce)}$${encode(tag)}`
}
