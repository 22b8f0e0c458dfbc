import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, openBrowser, refusalOn } from './browser.ts'
import type { Harness } from './harness.ts'
import { authorizeFully, lastReason, redirect, startVisits, validRequest, verifier } from './visit.ts'

const bye = 'https://app.test/bye'

let server: Harness

beforeAll(async () => {
  server = await startVisits()
})
afterAll(() => server.close())

/** The ID token of whoever signs in at the browser. */
async function idToken(browser: Browser): Promise<string> {
  const { answer } = await authorizeFully(browser)
  const form = { grant_type: 'authorization_code', client_id: 'web', client_secret: 'secret', redirect_uri: redirect }
  return (await server.post('/token', { ...form, code: answer.code, code_verifier: verifier })).json.id_token
}

const path = (query: Readonly<Record<string, string>>) => `/sign-out?${new URLSearchParams(query)}`

async function isSignedIn(browser: Browser): Promise<boolean> {
  return (await browser.authorize({ ...validRequest, prompt: 'none' })).answer.error !== 'login_required'
}

describe('OpenID Connect RP-Initiated Logout', () => {
  it('ends the session that the ID token is of, and sends the browser on with the state', async () => {
    const browser = openBrowser(server)
    const hint = await idToken(browser)
    const old = browser.cookies.get('__Host-session')
    const page = await browser.get(path({ id_token_hint: hint, post_logout_redirect_uri: bye, state: 'a&b' }))
    expect(page).toMatchObject({ status: 303, location: `${bye}?state=a%26b` })
    expect(browser.cookies.has('__Host-session')).toBe(false)
    const thief = await openBrowser(server).authorize(validRequest, { headers: { cookie: `__Host-session=${old}` } })
    expect(thief.form.action).toBe('/sign-in')
  })

  it('asks where nobody vouches that the person wants it', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.get(path({ client_id: 'web', post_logout_redirect_uri: bye }))
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-out' } })
    expect(await isSignedIn(browser)).toBe(true)
    const answered = await browser.submit(page, { decision: 'sign-out' })
    expect(answered).toMatchObject({ status: 303, location: bye })
    expect(await isSignedIn(browser)).toBe(false)
  })

  it('lets people stay', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.get('/sign-out')
    expect((await browser.submit(page, { decision: 'stay' })).status).toBe(303)
    expect(await isSignedIn(browser)).toBe(true)
  })

  it('asks when the ID token is of another session', async () => {
    const hint = await idToken(openBrowser(server))
    const browser = openBrowser(server)
    await authorizeFully(browser)
    expect((await browser.get(path({ id_token_hint: hint }))).form.action).toBe('/sign-out')
  })

  it('says so where the browser goes nowhere', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.submit(await browser.get('/sign-out'), { decision: 'sign-out' })
    expect(page.status).toBe(200)
    expect(await isSignedIn(browser)).toBe(false)
  })

  it('takes requests by POST, and goes on by GET where the session is seen', async () => {
    const browser = openBrowser(server)
    const hint = await idToken(browser)
    const form = { id_token_hint: hint, post_logout_redirect_uri: bye }
    const sent = await browser.post('/sign-out', form, { headers: { cookie: '', 'sec-fetch-site': 'cross-site' } })
    expect(sent.status).toBe(303)
    expect((await browser.get(sent.location)).location).toBe(bye)
  })

  it.each([
    [
      'another address',
      { client_id: 'web', post_logout_redirect_uri: `${bye}/` },
      'post_logout_redirect_uri_unregistered',
    ],
    [
      'the address of another client',
      { client_id: 'other', post_logout_redirect_uri: bye },
      'post_logout_redirect_uri_unregistered',
    ],
    ['an address without a client', { post_logout_redirect_uri: bye }, 'post_logout_client_unknown'],
    ['an unknown client', { client_id: 'nobody', post_logout_redirect_uri: bye }, 'post_logout_client_unknown'],
    ['something else than an ID token', { id_token_hint: 'a.b.c' }, 'id_token_hint_unknown'],
  ])('goes nowhere with %s', async (_, query, reason) => {
    const page = await openBrowser(server).get(path(query))
    expect([refusalOn(page).status, lastReason(server), page.location]).toEqual([400, reason, ''])
  })

  it('refuses an ID token that is not the client’s', async () => {
    const hint = await idToken(openBrowser(server))
    expect((await openBrowser(server).get(path({ id_token_hint: hint, client_id: 'other' }))).status).toBe(400)
  })

  it.each([
    ['another token', { csrf: 'A'.repeat(43) }, {}],
    ['another site', {}, { headers: { 'sec-fetch-site': 'cross-site' } }],
  ])('refuses the answer from %s', async (_, fields, sent) => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    const page = await browser.get('/sign-out')
    expect((await browser.submit(page, { decision: 'sign-out', ...fields }, sent)).status).toBe(403)
    expect(await isSignedIn(browser)).toBe(true)
  })
})

it('takes no answer that anybody could have sent: without a session there is no token', async () => {
  const csrf = createHmac('sha256', '').update('sign-out').digest('base64url')
  const sent = await openBrowser(server).post('/sign-out', { csrf, decision: 'sign-out' })
  expect([sent.status, lastReason(server)]).toEqual([403, 'page_token_wrong'])
  expect(sent.headers['set-cookie']).toBeUndefined()
})

describe('OpenID Connect Core §3.1.2.1 id_token_hint', () => {
  it('is answered for the person it names, expired or not, and for nobody else', async () => {
    const browser = openBrowser(server)
    const id_token_hint = await idToken(browser)
    server.advance(3601)
    expect((await browser.authorize({ ...validRequest, prompt: 'none', id_token_hint })).answer.code).toBeDefined()
    const other = openBrowser(server)
    const page = await other.authorize({ ...validRequest, id_token_hint })
    const refused = await other.submit(page, { username: 'bob', password: 'bob' })
    expect(refused.answer.error).toBe('login_required')
  })

  it('is one that we signed', async () => {
    const browser = openBrowser(server)
    const [header, , signature] = (await idToken(browser)).split('.')
    const claims = Buffer.from(JSON.stringify({ iss: server.issuer, sub: 'user:other', aud: 'web' })).toString(
      'base64url',
    )
    const id_token_hint = `${header}.${claims}.${signature}`
    const page = await browser.authorize({ ...validRequest, prompt: 'none', id_token_hint })
    expect([page.answer.error, lastReason(server)]).toEqual(['invalid_request', 'id_token_hint_unknown'])
  })

  it('is an ID token, no access token', async () => {
    const browser = openBrowser(server)
    const { answer } = await authorizeFully(browser)
    const form = { grant_type: 'authorization_code', client_id: 'web', client_secret: 'secret', redirect_uri: redirect }
    const { json } = await server.post('/token', { ...form, code: answer.code, code_verifier: verifier })
    const page = await browser.authorize({ ...validRequest, id_token_hint: json.access_token })
    expect([page.answer.error, lastReason(server)]).toEqual(['invalid_request', 'id_token_hint_unknown'])
  })
})
