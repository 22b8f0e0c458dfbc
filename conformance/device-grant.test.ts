import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, introspected, startPeopleServer } from './authorized.ts'
import { type Browser, openBrowser, type Page } from './browser.ts'
import { type Answer, claimsOf, declined, type Harness, type Sent } from './harness.ts'

const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  const ofDevice = { grant_types: [grant_type, 'refresh_token'], scope: 'openid api1' } as const
  server = await startPeopleServer((settings) => ({
    ...settings,
    clients: [
      ...(settings.clients ?? []),
      { ...ofDevice, client_id: 'device', client_name: 'Television', token_endpoint_auth_method: 'none' },
      { ...ofDevice, client_id: 'other-device', token_endpoint_auth_method: 'none' },
      { ...ofDevice, client_id: 'secret-device', client_secret: 'secret' },
      {
        ...ofDevice,
        client_id: 'bound-device',
        token_endpoint_auth_method: 'none',
        tls_client_certificate_bound_access_tokens: true,
      },
    ],
  }))
  server.freeze()
  certificate = await createClientCertificate({ name: 'television', keyType: 'P-256' })
  renewed = await createClientCertificate({ name: 'television', keyType: 'P-256', key: certificate.key })
  other = await createClientCertificate({ name: 'thief', keyType: 'P-256' })
})
afterAll(() => server.close())

type Asked = Partial<Sent> & { readonly client?: string }

const secretOf = (client: string) => (client === 'secret-device' ? { client_secret: 'secret' } : {})

const begin = (form: Readonly<Record<string, string>> = {}, { client = 'device', ...sent }: Asked = {}) =>
  server.post('/device_authorization', { client_id: client, ...secretOf(client), ...form }, sent)

const poll = (device_code: string | undefined, { client = 'device', ...sent }: Asked = {}) =>
  server.post('/token', { grant_type, client_id: client, ...secretOf(client), device_code }, sent)

/** Enters a code at the page and signs in. */
async function enter(
  user_code: string,
  browser: Browser = openBrowser(server),
): Promise<{ browser: Browser; page: Page }> {
  const page = await browser.submit(await browser.get('/device'), { user_code })
  if (!page.text.includes('name="password"')) return { browser, page }
  return { browser, page: await browser.submit(page, { username: 'alice', password: 'alice' }) }
}

async function decide(begun: Answer, decision: 'allow' | 'deny'): Promise<Page> {
  const { browser, page } = await enter(begun.json.user_code)
  return await browser.submit(page, { decision })
}

async function approved(sent: Asked = {}): Promise<string> {
  const begun = await begin({}, sent)
  await decide(begun, 'allow')
  return begun.json.device_code
}

describe('RFC 8628 §3.1 the device authorization endpoint', () => {
  it('[RFC8628-3.2-1, RFC8628-3.2-2, RFC8628-3.3-3, RFC8628-5.2-1] gives a code for the device and one for people', async () => {
    const answer = await begin()
    expect(answer.status).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    const { user_code } = answer.json
    expect(answer.json).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: `${server.issuer}/device`,
      verification_uri_complete: `${server.issuer}/device?user_code=${user_code}`,
      expires_in: 600,
      interval: 5,
    })
  })

  it('[RFC8628-4-1] is in the metadata, with an alias', async () => {
    const path = '/.well-known/oauth-authorization-server'
    const { json } = await server.send({ on: 'public', method: 'GET', path, headers: {} })
    expect(json.device_authorization_endpoint).toBe(`${server.issuer}/device_authorization`)
    expect(json.mtls_endpoint_aliases.device_authorization_endpoint).toMatch(/\/device_authorization$/)
    expect(json.grant_types_supported).toContain(grant_type)
  })

  it.each([
    ['a client that may not use it', {}, { client: 'native' }, 'unauthorized_client', 'grant_type_not_allowed'],
    [
      '[RFC8628-3.1-1] a wrong secret',
      { client_secret: 'wrong' },
      { client: 'secret-device' },
      'invalid_client',
      'client_secret_wrong',
    ],
    ['[RFC8628-3.2-3] a scope that it may not have', { scope: 'email' }, {}, 'invalid_scope', 'scope_unknown'],
    ['an unknown API', { resource: 'https://unknown.test' }, {}, 'invalid_target', 'resource_unknown'],
  ])('refuses %s', async (_, form, sent, error, reason) => {
    expect(await declined(server, begin(form, sent))).toMatchObject({ error, reason })
  })

  it('[RFC8628-3.1-4] takes no notice of an empty parameter, nor of an unknown one', async () => {
    expect((await begin({ scope: '', resource: '', surprise: 'x' })).status).toBe(200)
    expect(await declined(server, begin({ client_id: '' }))).toMatchObject({ reason: 'client_id_missing' })
  })

  it('[RFC8628-3.1-5] refuses a repeated parameter', async () => {
    const form = [
      ['client_id', 'device'],
      ['scope', 'openid'],
      ['scope', 'openid'],
    ] as const
    expect(await declined(server, server.post('/device_authorization', form))).toMatchObject({
      error: 'invalid_request',
      reason: 'parameter_repeated',
    })
  })

  it('demands no certificate of a client that is registered as bound', async () => {
    expect((await begin({}, { client: 'bound-device' })).status).toBe(200)
  })
})

describe('RFC 8628 §3.3 what the person sees', () => {
  it('[RFC8628-3.3-1, RFC8628-3.3-2] asks for the code, who it is, and whether to allow it; then the device has its tokens', async () => {
    const begun = await begin()
    const { browser, page } = await enter(begun.json.user_code)
    expect(page.text).toContain('Television')
    expect(page.text).toContain(begun.json.user_code)
    const done = await browser.submit(page, { decision: 'allow' })
    expect(done.status).toBe(200)
    const answer = await poll(begun.json.device_code)
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token)).toMatchObject({ sub: 'user:alice', client_id: 'device', aud: api })
    expect(claimsOf(answer.json.id_token)).toMatchObject({ sub: 'user:alice', aud: 'device', amr: ['pwd'] })
    expect(await introspected(server, answer.json.access_token)).toMatchObject({ active: true })
    const { refresh_token } = answer.json
    const refreshed = await server.post('/token', { grant_type: 'refresh_token', refresh_token, client_id: 'device' })
    expect(refreshed.status).toBe(200)
  })

  it('[RFC8628-3.3.1-1, RFC8628-3.3.1-2, RFC8628-5.4-1] fills in the code of the link, and asks all the same', async () => {
    const { json } = await begin()
    const browser = openBrowser(server)
    const page = await browser.get(json.verification_uri_complete.slice(server.issuer.length))
    expect(page.text).toContain(`value="${json.user_code}"`)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
  })

  it('[RFC8628-6.1-1] takes a code in small letters, with spaces or without the dash', async () => {
    for (const change of [
      (code: string) => code.toLowerCase(),
      (code: string) => code.replace('-', ' '),
      (code: string) => code.replace('-', ''),
    ]) {
      const { json } = await begin()
      const { page } = await enter(change(json.user_code))
      expect(page.text).toContain(json.user_code)
    }
  })

  it('asks somebody who is signed in for no password', async () => {
    const { browser } = await enter((await begin()).json.user_code)
    const { page } = await enter((await begin()).json.user_code, browser)
    expect(page.text).toContain('value="allow"')
  })

  it('[RFC8628-3.5-3] tells the device that the person declined', async () => {
    const begun = await begin()
    await decide(begun, 'deny')
    expect(await declined(server, poll(begun.json.device_code))).toMatchObject({
      status: 400,
      error: 'access_denied',
      reason: 'device_denied',
    })
  })

  it('takes one answer only', async () => {
    const { json } = await begin()
    const { browser, page } = await enter(json.user_code)
    await browser.submit(page, { decision: 'deny' })
    expect((await browser.submit(page, { decision: 'allow' })).status).toBe(400)
    expect((await poll(json.device_code)).json.error).toBe('access_denied')
  })

  it('does not sign in with a wrong password', async () => {
    const { json } = await begin()
    const browser = openBrowser(server)
    const page = await browser.submit(await browser.get('/device'), { user_code: json.user_code })
    const again = await browser.submit(page, { username: 'alice', password: 'wrong' })
    expect(again.status).toBe(400)
    expect(again.text).not.toContain('value="allow"')
  })

  it.each([
    ['the token of another form', { csrf: 'A'.repeat(43) }],
    ['another code than the page was shown for', { user_code: 'BBBB-BBBB' }],
    ['another step than the page is', { step: 'enter' }],
  ])('[RFC8628-5.4] refuses an answer with %s', async (_, wrong) => {
    const { json } = await begin()
    const { browser, page } = await enter(json.user_code)
    const refused = await browser.submit(page, { decision: 'allow', ...wrong })
    expect(refused.status).toBe(403)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
  })

  it('refuses the form in another browser, or from another site', async () => {
    const { json } = await begin()
    const { browser, page } = await enter(json.user_code)
    expect((await openBrowser(server).submit(page, { decision: 'allow' })).status).toBe(400)
    const elsewhere = { headers: { 'sec-fetch-site': 'cross-site' } }
    expect((await browser.submit(page, { decision: 'allow' }, elsewhere)).status).toBe(403)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
  })

  it('refuses an answer for somebody who has signed out since', async () => {
    const { json } = await begin()
    const { browser, page } = await enter(json.user_code)
    const session = [...browser.cookies].find(([name]) => name.includes('session'))
    expect(session).toBeDefined()
    const without = { headers: { cookie: `__Host-browser=${browser.cookies.get('__Host-browser')}` } }
    expect((await browser.submit(page, { decision: 'allow' }, without)).status).toBe(403)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
  })

  it('[RFC8628-5.1-1] declines more than ten wrong codes from one address, also for a right one, and others are served', async () => {
    const { json } = await begin()
    const from = '127.0.0.77'
    const browser = openBrowser(server)
    const page = await browser.get('/device', { from })
    for (let guesses = 0; guesses < 10; guesses++)
      expect((await browser.submit(page, { user_code: 'BBBB-BBBB' }, { from })).status).toBe(400)
    expect((await browser.submit(page, { user_code: json.user_code }, { from })).status).toBe(429)
    expect(server.reports.at(-1)).toMatchObject({ reason: 'user_code_guesses_exhausted' })
    expect((await enter(json.user_code)).page.text).toContain('value="allow"')
  })
})

describe('RFC 8628 §3.5 polling', () => {
  it('[RFC8628-3.5-1, RFC8628-3.5-2] is told to wait, and to slow down when it asks within five seconds', async () => {
    const { device_code } = (await begin()).json
    const pending = { status: 400, error: 'authorization_pending', reason: 'device_pending' }
    expect(await declined(server, poll(device_code))).toMatchObject(pending)
    server.advance(4)
    const early = { status: 400, error: 'slow_down', reason: 'device_polled_early' }
    expect(await declined(server, poll(device_code))).toMatchObject(early)
    server.advance(5)
    expect(await declined(server, poll(device_code))).toMatchObject({ error: 'authorization_pending' })
  })

  it('[RFC8628-3.5-4] has its tokens in the last second, and not in the next', async () => {
    for (const [age, status] of [
      [599, 200],
      [600, 400],
    ] as const) {
      const device_code = await approved()
      server.advance(age)
      if (status === 200) expect((await poll(device_code)).status).toBe(200)
      else
        expect(await declined(server, poll(device_code))).toMatchObject({
          status,
          error: 'expired_token',
          reason: 'device_code_expired',
        })
    }
  })

  it.each([
    ['an unknown code', 'A'.repeat(43), 'invalid_grant', 'device_code_unknown'],
    ['a text of another alphabet', '%', 'invalid_grant', 'device_code_unknown'],
    ['[RFC8628-3.4-2] none', undefined, 'invalid_request', 'device_code_missing'],
  ])('refuses %s', async (_, code, error, reason) => {
    expect(await declined(server, poll(code))).toMatchObject({ status: 400, error, reason })
  })

  it('[RFC8628-3.4-1] refuses the code of another client, which keeps it', async () => {
    const device_code = await approved()
    expect(await declined(server, poll(device_code, { client: 'other-device' }))).toMatchObject({
      error: 'invalid_grant',
      reason: 'device_code_of_another_client',
    })
    expect((await poll(device_code)).status).toBe(200)
  })

  it('[RFC8628-3.4-3] gives a client with a secret its tokens only for the secret', async () => {
    const client = 'secret-device'
    const device_code = await approved({ client })
    const bare = server.post('/token', { grant_type, client_id: client, device_code })
    expect(await declined(server, bare)).toMatchObject({ status: 401, error: 'invalid_client' })
    expect((await poll(device_code, { client })).status).toBe(200)
  })

  it('gives exactly one of 64 requests at once its tokens', async () => {
    const device_code = await approved()
    const answers = await Promise.all(Array.from({ length: 64 }, () => poll(device_code)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(new Set(answers.flatMap(({ status, json }) => (status === 200 ? [] : json.error)))).toEqual(
      new Set(['invalid_grant']),
    )
    expect(await declined(server, poll(device_code))).toMatchObject({ reason: 'device_code_used' })
  })
})

describe('RFC 8705 a device with a certificate', () => {
  it('gets tokens that are bound to it, also when it was renewed with its key', async () => {
    for (const shown of [certificate, renewed]) {
      const answer = await poll(await approved({ certificate }), { certificate: shown })
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': shown.thumbprint })
    }
  })

  it('[incident 55] is refused without it, or with another: that is no poll, and the code stays', async () => {
    const begun = await begin({}, { certificate })
    const { device_code } = begun.json
    for (const sent of [{}, { certificate: other }])
      expect(await declined(server, poll(device_code, sent))).toMatchObject({
        error: 'invalid_grant',
        reason: 'device_code_key_not_shown',
      })
    expect((await poll(device_code, { certificate })).json.error).toBe('authorization_pending')
    await decide(begun, 'allow')
    expect((await poll(device_code, { certificate })).status).toBe(200)
  })

  it('[RFC8705-3.4] is refused without one when it is registered as bound, and the code stays', async () => {
    const client = 'bound-device'
    const device_code = await approved({ client, certificate })
    expect(await declined(server, poll(device_code, { client }))).toMatchObject({
      error: 'invalid_request',
      reason: 'certificate_required',
    })
    expect((await poll(device_code, { client, certificate })).status).toBe(200)
  })

  it('goes on with its refresh token only with the certificate', async () => {
    const { refresh_token } = (await poll(await approved({ certificate }), { certificate })).json
    const refresh = (sent: Partial<Sent>) =>
      server.post('/token', { grant_type: 'refresh_token', refresh_token, client_id: 'device' }, sent)
    expect(await declined(server, refresh({}))).toMatchObject({ reason: 'refresh_token_key_not_shown' })
    expect((await refresh({ certificate: renewed })).status).toBe(200)
  })
})
