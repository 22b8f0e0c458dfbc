import { createHmac, hash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openBrowser, type Page, refusalOn } from './browser.ts'
import type { Harness } from './harness.ts'
import { authorizeFully, lastReason, push, redirect, signIn, startVisits, validRequest } from './visit.ts'

const alice = { username: 'alice', password: 'alice' }
const bob = { username: 'bob', password: 'bob' }

let server: Harness

beforeAll(async () => {
  server = await startVisits()
})
afterAll(() => server.close())

/** How many rows a table has. */
function count(table: 'session' | 'code' | 'flow'): number {
  const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { readOnly: true })
  try {
    return Number(database.prepare(`select count(*) as count from ${table}`).get()?.count)
  } finally {
    database.close()
  }
}

describe('RFC 6749 §10.12 forms are taken from our own pages only', () => {
  it.each([
    ['without a token', { csrf: undefined }],
    ['with another token', { csrf: 'A'.repeat(43) }],
  ])('[A21] refuses a sign-in %s', async (_, fields) => {
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const sessions = count('session')
    const refused = await browser.submit(page, { ...alice, ...fields })
    expect([refusalOn(refused), lastReason(server)]).toEqual([{ status: 403, error: 'forbidden' }, 'page_token_wrong'])
    expect(browser.cookies.has('__Host-session')).toBe(false)
    expect(count('session')).toBe(sessions)
  })

  it('[RFC6749-10.12-2] [A21] refuses the token of another flow', async () => {
    const browser = openBrowser(server)
    const [page, other] = [await browser.authorize(validRequest), await browser.authorize(validRequest)]
    const { csrf } = other.form.fields
    expect((await browser.submit(page, { ...alice, csrf })).status).toBe(403)
  })

  it('[A21] refuses the token of the sign-in page at consent', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize({ ...validRequest, prompt: 'consent' })
    const asked = await browser.submit(page, alice)
    const { csrf } = page.form.fields
    expect((await browser.submit(asked, { decision: 'allow', csrf })).status).toBe(403)
  })

  it('[A21] refuses the token of the choice of an account at consent', async () => {
    const browser = openBrowser(server)
    await signIn(browser)
    const page = await browser.authorize({ ...validRequest, prompt: 'select_account consent' })
    const { flow, csrf } = page.form.fields
    expect((await browser.post('/consent', { flow, csrf, decision: 'allow' })).status).toBe(403)
  })

  it('[A21] refuses a choice of an account without its token', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.authorize({ ...validRequest, prompt: 'select_account' })
    expect((await browser.submit(page, { account: 'current', csrf: 'A'.repeat(43) })).status).toBe(403)
  })

  it('[A21] refuses a consent that was shown to somebody else', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    await signIn(browser, { prompt: 'login consent' }, bob)
    expect((await browser.submit(asked, { decision: 'allow' })).status).toBe(403)
  })

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ origin: 'https://evil.test' }],
  ])('[A22] [RFC9700-4.7] refuses what another site sends: %j', async (headers) => {
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const refused = await browser.submit(page, alice, { headers })
    expect([refused.status, lastReason(server)]).toEqual([403, 'page_from_elsewhere'])
  })

  it('takes what browsers of all ages send', async () => {
    for (const headers of [
      { origin: server.issuer },
      { 'sec-fetch-site': 'none' },
      { origin: [], 'sec-fetch-site': [] },
    ]) {
      const browser = openBrowser(server)
      const page = await browser.authorize(validRequest)
      expect((await browser.submit(page, alice, { headers })).status).toBeLessThan(400)
    }
  })

  it('[A24] [CVE-2026-7507] goes nowhere in another browser', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const other = openBrowser(server)
    expect(refusalOn(await other.submit(page, alice)).status).toBe(400)
    await other.authorize(validRequest)
    expect(refusalOn(await other.submit(page, alice)).status).toBe(400)
    expect(lastReason(server)).toBe('flow_unknown')
    expect((await browser.submit(page, alice)).status).toBeLessThan(400)
  })

  it.each([{ scope: 'openid api1 api2' }, { client_id: 'other' }, { redirect_uri: 'https://evil.test' }])(
    '[A25] refuses a consent with something of its own: %j',
    async (fields) => {
      const browser = openBrowser(server)
      const asked = await signIn(browser, { prompt: 'consent' })
      const refused = await browser.submit(asked, { decision: 'allow', ...fields })
      expect([refused.status, lastReason(server)]).toEqual([400, 'page_form_altered'])
    },
  )

  it('[A26] gives one code for two clicks', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    const first = await browser.submit(asked, { decision: 'allow' })
    const second = await browser.submit(asked, { decision: 'allow' })
    expect(first.answer.code).toBeDefined()
    expect(refusalOn(second)).toEqual({ status: 400, error: 'invalid_request' })
  })

  it('[A26] gives one code for 64 clicks at once', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    const codes = count('code')
    const clicks = await Promise.all(Array.from({ length: 64 }, () => browser.submit(asked, { decision: 'allow' })))
    expect(clicks.filter(({ status }) => status === 303)).toHaveLength(1)
    expect(clicks.filter(({ status }) => status === 400)).toHaveLength(63)
    expect(count('code')).toBe(codes + 1)
  })

  it('[A26] gives one code for a password that is sent twice at once', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize({ ...validRequest, client_id: 'own' })
    const credentials = { username: 'alice', password: 'alice' }
    const sent = await Promise.all([browser.submit(page, credentials), browser.submit(page, credentials)])
    expect(sent.map(({ status }) => status).toSorted()).toEqual([303, 400])
    expect(lastReason(server)).toBe('flow_replayed')
  })

  it('[A36] ends when the client is disabled meanwhile', async () => {
    const { administration } = server.server
    const client = {
      client_id: 'leaving',
      grant_types: ['authorization_code'],
      redirect_uris: [redirect],
      scope: 'openid api1',
    }
    await administration.administer('client-add', { client, secret: 'generate' })
    const browser = openBrowser(server)
    const page = await browser.authorize({ ...validRequest, client_id: 'leaving' })
    const asked = await browser.submit(page, alice)
    await administration.administer('client-edit', { clientId: 'leaving', change: { disabled: true } })
    for (const refused of [await browser.submit(asked, { decision: 'allow' }), await browser.submit(page, alice)])
      expect([refused.status, lastReason(server)]).toEqual([400, 'authorization_client_unknown'])
  })

  it('[RFC9126-4-6, RFC9126-2.1-3] ends when the redirect URI is not the client’s any more, pushed or not', async () => {
    const { administration } = server.server
    const client = {
      client_id: 'moving',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      redirect_uris: [redirect, 'https://new.test/callback'],
      scope: 'openid api1',
    }
    await administration.administer('client-add', { client })
    const browser = openBrowser(server)
    const page = await browser.authorize({ ...validRequest, client_id: 'moving' })
    const asked = await browser.submit(page, alice)
    const { request_uri } = (await push(server, { client_id: 'moving', client_secret: undefined })).json
    const change = { redirect_uris: ['https://new.test/callback'] }
    await administration.administer('client-edit', { clientId: 'moving', change })
    for (const refused of [
      await browser.submit(asked, { decision: 'allow' }),
      await browser.submit(asked, { decision: 'deny' }),
      await browser.submit(page, alice),
      await browser.authorize({ client_id: 'moving', request_uri }),
    ])
      expect([refused.status, lastReason(server)]).toEqual([400, 'redirect_uri_unregistered'])
  })
})

describe('pages', () => {
  let pages: readonly Page[]

  beforeAll(async () => {
    const browser = openBrowser(server)
    const signInPage = await browser.authorize({ ...validRequest, prompt: 'consent' })
    const consentPage = await browser.submit(signInPage, alice)
    pages = [signInPage, consentPage, await browser.authorize({ client_id: 'nobody' })]
  })

  it('[RFC6749-10.13-1] [A27] [A28] [A34] cannot be framed, run no script, and say nothing to where they lead', () => {
    for (const { headers, text } of pages) {
      expect(headers).toMatchObject({
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^ ]+'; form-action /)
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(text).not.toMatch(/<script|\son\w+=|style="/)
    }
  })

  it('[A28] let a form lead on as far as the client needs, and no further', () => {
    expect(pages[1]?.headers['content-security-policy']).toContain("form-action 'self' https:;")
    expect(pages[2]?.headers['content-security-policy']).toContain("form-action 'self';")
  })

  it('[A34] redirects are by GET, kept by nobody, and without a referrer', async () => {
    const { status, headers } = await authorizeFully(openBrowser(server))
    expect(status).toBe(303)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  })

  it('speak the language of the request, then of the browser', async () => {
    const browser = openBrowser(server)
    const german = { headers: { 'accept-language': 'de-AT,de;q=0.9' } }
    expect((await browser.authorize(validRequest, german)).headers['content-language']).toBe('de')
    expect((await browser.authorize({ ...validRequest, ui_locales: 'en' }, german)).headers['content-language']).toBe(
      'en',
    )
    expect((await browser.authorize({ client_id: 'nobody' }, german)).headers['content-language']).toBe('de')
  })

  it('fill in the login_hint', async () => {
    const page = await openBrowser(server).authorize({ ...validRequest, login_hint: 'al"ice' })
    expect(page.text).toContain('value="al&quot;ice"')
  })

  it('are not on the listener for certificates', async () => {
    for (const path of ['/authorize', '/sign-in', '/consent', '/sign-out'])
      expect((await openBrowser(server).get(path, { on: 'mutualTls' })).status).toBe(404)
  })
})

describe('sessions', () => {
  it('[A33] cookies cannot be read, set by neighbours, or sent along by other sites', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const signedIn = await browser.submit(page, alice)
    const set = [...(page.headers['set-cookie'] ?? []), ...(signedIn.headers['set-cookie'] ?? [])]
    expect(set).toHaveLength(2)
    for (const cookie of set)
      expect(cookie).toMatch(/^__Host-(session|browser)=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  })

  it('[A23] get a new id at each sign-in, and the old one is dead', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const old = browser.cookies.get('__Host-session')
    await signIn(browser, { prompt: 'login' })
    expect(browser.cookies.get('__Host-session')).not.toBe(old)
    const thief = openBrowser(server)
    const page = await thief.authorize(validRequest, { headers: { cookie: `__Host-session=${old}` } })
    expect(page.form.action).toBe('/sign-in')
  })

  it('[A23] do not take an id that somebody planted', async () => {
    const planted = 'A'.repeat(43)
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const cookie = `__Host-session=${planted}; __Host-browser=${browser.cookies.get('__Host-browser')}`
    await browser.submit(page, alice, { headers: { cookie } })
    expect(browser.cookies.get('__Host-session')).not.toBe(planted)
  })

  it('end with their person', async () => {
    const own = await startVisits()
    onTestFinished(() => own.close())
    const browser = openBrowser(own)
    const asked = await signIn(browser)
    const directory = [{ username: 'alice', password: 'alice', disabled: true }]
    await own.restart({ people: { directory } })
    expect((await browser.submit(asked, { decision: 'allow' })).form.action).toBe('/sign-in')
    expect((await browser.authorize({ ...validRequest, prompt: 'none' })).answer.error).toBe('login_required')
  })

  it.each([
    ['an unknown person', { username: 'nobody', password: 'alice' }],
    ['a wrong password', { username: 'bob', password: 'alice' }],
    ['nothing', { username: '', password: '' }],
    ['[A32] a name that is far too long', { username: 'a'.repeat(60_000), password: 'x' }],
    ['[A32] a name that looks alike', { username: 'аlice', password: 'alice' }],
    ['[A32] SQL', { username: "' or 1=1 --", password: "' or 1=1 --" }],
  ])('ask again after %s', async (_, credentials) => {
    const browser = openBrowser(server)
    const again = await signIn(browser, {}, credentials)
    expect(again).toMatchObject({ status: 400, form: { action: '/sign-in' } })
    expect(browser.cookies.has('__Host-session')).toBe(false)
  })

  it('[A32] refuse a name with NUL, and a form that is too large, on a page', async () => {
    const browser = openBrowser(server)
    expect(refusalOn(await signIn(browser, {}, { username: 'a\0', password: 'x' })).status).toBe(400)
    expect(refusalOn(await signIn(browser, {}, { username: 'a'.repeat(1_000_000), password: 'x' })).status).toBe(413)
  })

  it('[RFC6749-10.10-2] [A31] slow down guesses at one account, from one address', async () => {
    const guess = { username: 'alice', password: 'guess' }
    const browser = openBrowser(server)
    const page = await browser.authorize(validRequest)
    const from = { from: '127.0.0.2' }
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await browser.submit(page, guess, from)).status)
    expect(statuses.slice(-2)).toEqual([429, 429])
    const last = await browser.submit(page, alice, from)
    expect(last).toMatchObject({ status: 429, form: { action: '/sign-in' } })
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0)
    expect((await browser.submit(page, alice)).status).toBeLessThan(400)
  })
})

describe('OpenID Connect Core §3.1.2.1 prompt and max_age', () => {
  it('prompt=none answers silently who is signed in and has consented', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.authorize({ ...validRequest, prompt: 'none' })).answer.code).toBeDefined()
  })

  it('prompt=none declines where consent is missing', async () => {
    const browser = openBrowser(server)
    await signIn(browser, {}, bob)
    const page = await browser.authorize({ ...validRequest, client_id: 'other', prompt: 'none' })
    expect(page.answer.error).toBe('consent_required')
  })

  it('prompt=login asks for the password though there is a session', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.authorize({ ...validRequest, prompt: 'login' })).form.action).toBe('/sign-in')
  })

  it('prompt=consent asks though it is remembered', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.authorize({ ...validRequest, prompt: 'consent' })).form.action).toBe('/consent')
  })

  it('prompt=select_account asks who it shall be', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.authorize({ ...validRequest, prompt: 'select_account' })
    expect(page.text).toContain('Alice Adams')
    const asked = await browser.submit(page, { account: '' })
    expect(asked.text).toContain('name="password"')
    expect((await browser.submit(page, { account: 'current' })).answer.code).toBeDefined()
  })

  it('consent can be left for another account', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    const page = await browser.submit(asked, { decision: 'switch' })
    const again = await browser.submit(page, bob)
    expect(again.text).toContain('bob')
    expect((await browser.submit(again, { decision: 'allow' })).answer.code).toBeDefined()
  })
})

describe('times', () => {
  let clock: Harness

  beforeAll(async () => {
    clock = await startVisits()
    clock.freeze()
  })
  afterAll(() => clock.close())

  it('max_age counts from the sign-in', async () => {
    const browser = openBrowser(clock)
    await authorizeFully(browser)
    clock.advance(100)
    expect((await browser.authorize({ ...validRequest, max_age: '100' })).answer.code).toBeDefined()
    clock.advance(1)
    expect((await browser.authorize({ ...validRequest, max_age: '100' })).form.action).toBe('/sign-in')
    const silent = await browser.authorize({ ...validRequest, max_age: '100', prompt: 'none' })
    expect(silent.answer.error).toBe('login_required')
    const fresh = await signIn(browser, { max_age: '0' })
    expect(fresh.answer.code).toBeDefined()
    expect((await browser.authorize({ ...validRequest, max_age: '0' })).form.action).toBe('/sign-in')
  })

  it.each([
    ['prompt=login', { prompt: 'login' }],
    ['max_age', { max_age: '10' }],
  ])('%s holds at consent too, though who sits there made its token from what the browser keeps', async (_, asked) => {
    const browser = openBrowser(clock)
    await authorizeFully(browser)
    clock.advance(11)
    const { form } = await browser.authorize({ ...validRequest, ...asked })
    const { flow = '' } = form.fields
    const sha256 = (text: string) => hash('sha256', text, 'base64url')
    const about = `consent ${flow} ${sha256(browser.cookies.get('__Host-session') ?? '')}`
    const key = browser.cookies.get('__Host-browser') ?? ''
    const csrf = createHmac('sha256', key).update(about).digest('base64url')
    const page = await browser.post('/consent', { flow, csrf, decision: 'allow' })
    expect(page.answer.code).toBeUndefined()
    expect(page.form.action).toBe('/sign-in')
    const signedIn = await browser.submit(page, { username: 'alice', password: 'alice' })
    expect(signedIn.answer.code).toBeDefined()
  })

  it('a session lasts twelve hours', async () => {
    const browser = openBrowser(clock)
    await authorizeFully(browser)
    clock.advance(43_199)
    expect((await browser.authorize(validRequest)).answer.code).toBeDefined()
    clock.advance(1)
    expect((await browser.authorize(validRequest)).form.action).toBe('/sign-in')
  })

  it('a flow lasts ten minutes', async () => {
    const browser = openBrowser(clock)
    const [page, late] = [await browser.authorize(validRequest), await browser.authorize(validRequest)]
    clock.advance(599)
    expect((await browser.submit(page, alice)).status).toBeLessThan(400)
    clock.advance(1)
    expect(refusalOn(await browser.submit(late, alice)).status).toBe(400)
    expect(lastReason(clock)).toBe('flow_unknown')
  })

  it('[RFC9126-4-2] a request_uri lasts ninety seconds, and the flow that it began its own time', async () => {
    const { request_uri, expires_in } = (await push(clock, { client_id: 'own', prompt: 'login' })).json
    expect(expires_in).toBe(90)
    const browser = openBrowser(clock)
    clock.advance(89)
    const page = await browser.authorize({ client_id: 'own', request_uri })
    clock.advance(1)
    expect(refusalOn(await browser.authorize({ client_id: 'own', request_uri })).error).toBe('invalid_request_uri')
    clock.advance(500)
    expect((await browser.submit(page, alice)).answer.code).toBeDefined()
  })
})
