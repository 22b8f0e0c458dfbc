import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, refusalOn } from './browser.ts'
import type { Harness } from './harness.ts'
import { authorizeFully, lastReason, push, redirect, signIn, startVisits, validRequest, verifier } from './visit.ts'

let server: Harness

beforeAll(async () => {
  server = await startVisits()
})
afterAll(() => server.close())

/** How a request is declined: told to the client, or to the person. */
async function declinedVisit(form: Readonly<Record<string, string | undefined>>) {
  const page = await openBrowser(server).authorize({ ...validRequest, ...form })
  return { page, reason: lastReason(server), ...refusalOn(page), answer: page.answer, location: page.location }
}

describe('RFC 6749 §4.1 the authorization code', () => {
  it('[RFC6749-3.1-1, RFC6749-3.1-2, RFC9207-2-1, RFC9207-2-2, RFC6749-10.10-1, RFC7636-4.4-2] [RFC6749-4.1.2] signs in, asks for consent, and answers with code, state and iss', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-in' } })
    const asked = await browser.submit(page, { username: 'alice', password: 'alice' })
    expect(asked).toMatchObject({ status: 200, form: { action: '/consent' } })
    expect(asked.text).toContain('Read your notes')
    const answered = await browser.submit(asked, { decision: 'allow' })
    expect(answered.status).toBe(303)
    expect(answered.location.startsWith(`${redirect}?`)).toBe(true)
    expect(answered.answer).toEqual({ code: expect.stringMatching(/^[\w-]{43}$/), state: 'state', iss: server.issuer })
  })

  it('[RFC6749-4.1.3] its code is good for a token of the person', async () => {
    const { answer } = await authorizeFully(openBrowser(server))
    const token = await server.post('/token', {
      grant_type: 'authorization_code',
      client_id: 'web',
      client_secret: 'secret',
      redirect_uri: redirect,
      code: answer.code,
      code_verifier: verifier,
    })
    expect(token).toMatchObject({ status: 200, json: { scope: 'openid api1', id_token: expect.any(String) } })
  })

  it('answers at once while the session lasts and the consent is remembered', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.authorize(validRequest)).answer.code).toBeDefined()
  })

  it('asks for consent again when there is more to allow', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.authorize({ ...validRequest, scope: 'openid api1 api2' })
    expect(page.form.action).toBe('/consent')
  })

  it('[RFC8252-8.6] asks for consent each time where anybody could wait for the code', async () => {
    const browser = openBrowser(server)
    const native = { client_id: 'native', redirect_uri: 'http://127.0.0.1:5005/cb' }
    expect((await authorizeFully(browser, native)).answer.code).toBeDefined()
    expect((await browser.authorize({ ...validRequest, ...native })).form.action).toBe('/consent')
  })

  it('asks nobody for consent to a client of the operator', async () => {
    expect((await signIn(openBrowser(server), { client_id: 'own' })).answer.code).toBeDefined()
  })

  it('[RFC6749-4.1.2.1] tells the client that the person declined, and is over', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    const answered = await browser.submit(asked, { decision: 'deny' })
    expect(answered.answer).toMatchObject({ error: 'access_denied', state: 'state', iss: server.issuer })
    expect(lastReason(server)).toBe('consent_denied')
    expect(refusalOn(await browser.submit(asked, { decision: 'allow' })).status).toBe(400)
  })

  it('[RFC6749-3.1.2.3] takes the only registered redirect URI where none is asked for', async () => {
    const browser = openBrowser(server)
    const page = await authorizeFully(browser, { redirect_uri: undefined, scope: 'api1' })
    expect(page.location.startsWith(`${redirect}?`)).toBe(true)
  })

  it('[RFC6749-3.1.2-2] keeps the query of a redirect URI', async () => {
    const uri = 'https://app.test/other?tenant=1'
    const page = await authorizeFully(openBrowser(server), { client_id: 'several', redirect_uri: uri })
    expect(page.location.startsWith(`${uri}&code=`)).toBe(true)
  })

  it('[RFC6749-3.1-3] takes requests by POST, and goes on by GET where the session is seen', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const sent = await browser.post('/authorize', validRequest, { headers: { 'sec-fetch-site': 'cross-site' } })
    expect(sent).toMatchObject({
      status: 303,
      location: expect.stringMatching(/^\/authorize\?client_id=web&request_uri=/),
    })
    expect((await browser.get(sent.location)).answer.code).toBeDefined()
  })
})

describe('OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode', () => {
  it('[A09] answers in the fragment', async () => {
    const page = await authorizeFully(openBrowser(server), { response_mode: 'fragment' })
    expect(page.location.startsWith(`${redirect}#`)).toBe(true)
    expect(page.answer).toMatchObject({ code: expect.any(String), state: 'state', iss: server.issuer })
  })

  it('answers by a form that the browser sends', async () => {
    const page = await authorizeFully(openBrowser(server), { response_mode: 'form_post' })
    expect(page).toMatchObject({ status: 200, form: { action: redirect } })
    expect(page.form.fields).toEqual({ code: expect.any(String), state: 'state', iss: server.issuer })
    expect(page.headers['content-security-policy']).toContain("form-action 'self' https:;")
  })

  it('declines in the same way', async () => {
    const { page } = await declinedVisit({ response_mode: 'form_post', prompt: 'none' })
    expect(page.form.fields).toMatchObject({ error: 'login_required', state: 'state', iss: server.issuer })
  })
})

describe('RFC 6749 §4.1.2.1 what only the person is told', () => {
  it.each([
    ['[A01] no client', { client_id: undefined }, 'client_id_missing'],
    ['[RFC6749-4.1.2.1-1] [A01] an unknown client', { client_id: 'nobody' }, 'authorization_client_unknown'],
    ['a disabled client', { client_id: 'disabled' }, 'authorization_client_unknown'],
    [
      '[RFC6749-3.1.2.3-1] no redirect URI where several are registered',
      { client_id: 'several', redirect_uri: undefined },
      'redirect_uri_missing',
    ],
    ['no redirect URI for OpenID Connect', { redirect_uri: undefined }, 'redirect_uri_missing'],
    ['[RFC6749-3.1.2-1] [A05] a fragment', { redirect_uri: `${redirect}#code=x` }, 'redirect_uri_unregistered'],
    [
      '[RFC9126-4-2] [A11] an unknown request_uri',
      { request_uri: `urn:ietf:params:oauth:request_uri:${'A'.repeat(43)}` },
      'request_uri_unknown',
    ],
  ])('%s', async (_, form, reason) => {
    expect(await declinedVisit(form)).toMatchObject({ status: 400, location: '', reason })
  })

  it.each([
    `${redirect}/`,
    `${redirect}?x=1`,
    `${redirect}?`,
    `${redirect}#`,
    'https://app.test/Callback',
    'https://APP.test/callback',
    'HTTPS://app.test/callback',
    'http://app.test/callback',
    'https://app.test/x/%2e%2e/callback',
    'https://app.test/x/../callback',
    'https://app.test/..;/callback',
    'https://app.test\\callback',
    'https:\\\\app.test/callback',
    'https://app.test/call\tback',
    '\thttps://app.test/callback',
    'https://app.test/callback ',
    'https://evil.test@app.test/callback',
    'https://app.test@evil.test/callback',
    'https://app.test@@evil.test/callback',
    'https://app.test:443/callback',
    'https://app.test:8443/callback',
    'https://аpp.test/callback',
    'https://xn--pp-7lc.test/callback',
    'https:app.test/callback',
    '//app.test/callback',
    'javascript:alert(1)//https://app.test/callback',
    'data:text/html,https://app.test/callback',
    `${redirect}%00`,
    'https://app.test/c%61llback',
  ])(
    '[RFC6749-3.1.2.3-2, RFC6749-3.1.2.4-1, RFC6749-10.6-2] [A04] [A07] [RFC9700-2.1] a redirect URI that is almost the registered one: %j',
    async (redirect_uri) => {
      expect(await declinedVisit({ redirect_uri })).toMatchObject({ status: 400, location: '' })
    },
  )

  it.each([
    ['http://127.0.0.1/cb', true],
    ['http://127.0.0.1:1/cb', true],
    ['http://127.0.0.1:51004/cb', true],
    ['com.example.app:/cb', true],
    ['http://127.0.0.1:0/cb', false],
    ['http://127.0.0.1:65536/cb', false],
    ['http://127.0.0.1:080/cb', false],
    ['http://127.0.0.1:51004/other', false],
    ['http://localhost:51004/cb', false],
    ['http://127.0.0.2:51004/cb', false],
    ['http://[::1]:51004/cb', false],
    ['http://127.0.0.1:51004@evil.test/cb', false],
    ['http://127.0.0.1.evil.test/cb', false],
    ['https://127.0.0.1:51004/cb', false],
    ['com.example.app://cb', false],
    ['com.example.other:/cb', false],
  ])('[A06] [RFC8252-7.3] a native application at %s: %s', async (redirect_uri, taken) => {
    const page = await openBrowser(server).authorize({ ...validRequest, client_id: 'native', redirect_uri })
    expect(page.status).toBe(taken ? 200 : 400)
  })
})

describe('RFC 6749 §4.1.2.1 what the client is told', () => {
  it.each([
    [
      '[RFC6749-3.1.1-1] [A08] no response_type',
      { response_type: undefined },
      'invalid_request',
      'response_type_missing',
    ],
    ['[A08] another', { response_type: 'token' }, 'unsupported_response_type', 'response_type_unsupported'],
    [
      '[A08] a combined one',
      { response_type: 'code id_token' },
      'unsupported_response_type',
      'response_type_unsupported',
    ],
    ['[A09] an unknown response_mode', { response_mode: 'web_message' }, 'invalid_request', 'response_mode_unknown'],
    [
      '[RFC6749-4.1.2.1-2, RFC6749-4.1.1-1] a client without the grant',
      { client_id: 'machine' },
      'unauthorized_client',
      'authorization_not_allowed',
    ],
    [
      '[RFC9126-6-1] [A10] a client that must push',
      { client_id: 'pushes' },
      'invalid_request',
      'pushed_request_required',
    ],
    [
      '[RFC7636-4.4.1-1] [A20] no code_challenge',
      { code_challenge: undefined },
      'invalid_request',
      'code_challenge_missing',
    ],
    [
      '[RFC7636-4.4.1-2, RFC7636-7.2-1] the method plain',
      { code_challenge_method: 'plain' },
      'invalid_request',
      'code_challenge_method',
    ],
    [
      '[RFC7636-4.3-2] no method, which means plain',
      { code_challenge_method: undefined },
      'invalid_request',
      'code_challenge_method',
    ],
    ['a challenge of 42 characters', { code_challenge: 'A'.repeat(42) }, 'invalid_request', 'code_challenge_malformed'],
    ['an empty scope after all', { scope: 'unknown' }, 'invalid_scope', 'scope_unknown'],
    ['a malformed scope', { scope: 'api1  api2' }, 'invalid_scope', 'scope_malformed'],
    ['[RFC8707-2] an unknown resource', { resource: 'https://nobody.test' }, 'invalid_target', 'resource_unknown'],
    [
      '[RFC8707-2] a resource without its scope',
      { resource: 'https://other-api.test' },
      'invalid_target',
      'resource_unknown',
    ],
    ['[RFC8707-2] a resource that is no URI', { resource: 'api' }, 'invalid_target', 'resource_malformed'],
    ['an unknown prompt', { prompt: 'create' }, 'invalid_request', 'prompt_unknown'],
    ['prompt none and another', { prompt: 'none login' }, 'invalid_request', 'prompt_unknown'],
    ['a malformed max_age', { max_age: '-1' }, 'invalid_request', 'max_age_malformed'],
    ['[A16] prompt=none without a session', { prompt: 'none' }, 'login_required', 'login_required'],
    ['an id_token_hint that we did not sign', { id_token_hint: 'a.b.c' }, 'invalid_request', 'id_token_hint_unknown'],
    ['a dpop_jkt that is no thumbprint', { dpop_jkt: 'x' }, 'invalid_request', 'dpop_jkt_malformed'],
    ['a nonce that is too long', { nonce: 'n'.repeat(513) }, 'invalid_request', 'nonce_too_long'],
  ])('%s', async (_, form, error, reason) => {
    const declined = await declinedVisit(form)
    expect(declined).toMatchObject({ reason, answer: { error, state: 'state', iss: server.issuer } })
    expect(declined.page.status).toBe(303)
    expect(declined.location.startsWith(`${redirect}?error=`)).toBe(true)
  })

  it('[RFC9101-10.4.1-1, RFC9101-7-2] [A15] a request_uri that is not ours, which nobody fetches', async () => {
    let visits = 0
    const listener = createServer((socket) => {
      visits++
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const address = listener.address()
    const request_uri = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/request.jwt`
    const declined = await declinedVisit({ request_uri })
    expect(declined).toMatchObject({ answer: { error: 'request_uri_not_supported' }, reason: 'request_uri_foreign' })
    expect(visits).toBe(0)
    await new Promise((resolve) => listener.close(resolve))
  })

  it.each(['"><script>alert(1)</script>', 'a\r\nset-cookie: x=1', 'ü€😀', 's'.repeat(4096)])(
    '[RFC6749-4.1.2-5, RFC6749-10.14-1] [A18] gives the state back as it came, and only so: %#',
    async (state) => {
      const { page } = await declinedVisit({ state, prompt: 'none' })
      expect(page.answer.state).toBe(state)
      expect(page.location).toMatch(/^[\x21-\x7e]+$/)
      expect(page.location).not.toMatch(/[<>"]/)
      expect(page.headers['set-cookie']).toBeUndefined()
      const signInPage = await openBrowser(server).authorize({ ...validRequest, state })
      expect(signInPage.text).not.toContain(state)
      const posted = await declinedVisit({ state, prompt: 'none', response_mode: 'form_post' })
      expect(posted.page.form.fields.state).toBe(state)
      expect(posted.page.text).not.toContain('<script>alert')
    },
  )

  it('tells the operator which client it was', async () => {
    await declinedVisit({ client_id: 'machine' })
    expect(server.reports.at(-1)).toMatchObject({ client: 'machine', reason: 'authorization_not_allowed' })
    await declinedVisit({ redirect_uri: `${redirect}/` })
    expect(server.reports.at(-1)).toMatchObject({ client: 'web', seen: `${redirect}/` })
    await declinedVisit({ redirect_uri: `${redirect}?secret=1` })
    expect(server.reports.at(-1)).toMatchObject({ client: 'web', seen: `${redirect}?…` })
    expect(JSON.stringify(server.reports)).not.toContain(validRequest.code_challenge)
  })

  it('[A18] refuses a state of 4097 characters', async () => {
    expect(await declinedVisit({ state: 's'.repeat(4097) })).toMatchObject({ reason: 'state_too_long' })
  })

  it('[RFC6749-3.1-5] [A19] refuses a repeated parameter', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize([...Object.entries(validRequest), ['state', 'other']])
    expect(refusalOn(page)).toEqual({ status: 400, error: 'invalid_request' })
    expect(lastReason(server)).toBe('parameter_repeated')
  })
})

describe('RFC 9126 §4 the request_uri at the authorization endpoint', () => {
  const visit = (request_uri: string, more = {}) => ({ client_id: 'web', request_uri, ...more })

  it('[RFC9126-4-1] stands for the request that was pushed', async () => {
    const { request_uri } = (await push(server)).json
    const browser = openBrowser(server)
    const asked = await browser.submit(await browser.authorize(visit(request_uri)), {
      username: 'alice',
      password: 'alice',
    })
    const { answer } = asked.form.action ? await browser.submit(asked, { decision: 'allow' }) : asked
    expect(answer).toEqual({ code: expect.any(String), state: 'state', iss: server.issuer })
  })

  it('[RFC9126-4-3, RFC9126-7.3-1] [A13] is good for one code', async () => {
    const { request_uri } = (await push(server)).json
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.authorize(visit(request_uri))).answer.code).toBeDefined()
    expect(refusalOn(await browser.authorize(visit(request_uri)))).toEqual({
      status: 400,
      error: 'invalid_request_uri',
    })
  })

  it('[A13] is good for one code, though two pages stand open', async () => {
    const { request_uri } = (await push(server, { client_id: 'own', prompt: 'login' })).json
    const browser = openBrowser(server)
    const pages = [
      await browser.authorize({ client_id: 'own', request_uri }),
      await browser.authorize({ client_id: 'own', request_uri }),
    ]
    const credentials = { username: 'alice', password: 'alice' }
    const [first, second] = await Promise.all(pages.map((page) => browser.submit(page, credentials)))
    expect([first?.status, second?.status].toSorted()).toEqual([303, 400])
    expect(lastReason(server)).toBe('pushed_request_replayed')
  })

  it('[A13] is good for one code of 64 visits at once', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const { request_uri } = (await push(server)).json
    const visits = await Promise.all(Array.from({ length: 64 }, () => browser.authorize(visit(request_uri))))
    expect(visits.filter(({ answer }) => answer.code !== undefined)).toHaveLength(1)
    expect(visits.filter(({ status }) => status === 400)).toHaveLength(63)
  })

  it('[RFC9126-2.2-3] [A12] is of its client only, and lives on when another shows it', async () => {
    const { request_uri } = (await push(server)).json
    const browser = openBrowser(server)
    expect(refusalOn(await browser.authorize({ client_id: 'other', request_uri }))).toMatchObject({ status: 400 })
    expect(refusalOn(await browser.authorize({ request_uri }))).toMatchObject({ status: 400 })
    expect((await browser.authorize(visit(request_uri))).status).toBe(200)
  })

  it('[RFC9126-4-4] [A14] counts alone: parameters beside it are ignored', async () => {
    const { request_uri } = (await push(server, { prompt: 'none' })).json
    const page = await openBrowser(server).authorize(
      visit(request_uri, { state: 'other', redirect_uri: 'https://evil.test/' }),
    )
    expect(page.location.startsWith(redirect)).toBe(true)
    expect(page.answer.state).toBe('state')
  })
})
