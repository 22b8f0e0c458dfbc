import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createVerifier, openBrowser, type Page, refusalOn } from './browser.ts'
import { api, type Form, type Harness, startServer } from './harness.ts'

const redirect = 'https://app.test/callback'
const { challenge } = createVerifier()

let server: Harness

beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    apis: [{ identifier: api, scopes: ['api1', 'api2'], scopeDescriptions: { api1: 'Read your notes' } }],
    people: {
      directory: [
        { username: 'alice', password: 'alice', name: 'Alice Adams' },
        { username: 'bob', password: 'bob' },
      ],
    },
    clients: [
      {
        client_id: 'web',
        client_secret: 'secret',
        client_name: 'Notes',
        grant_types: ['authorization_code'],
        redirect_uris: [redirect],
        scope: 'openid profile api1 api2',
      },
      {
        client_id: 'own',
        client_secret: 'secret',
        grant_types: ['authorization_code'],
        redirect_uris: [redirect],
        scope: 'openid api1',
        consent: 'skip',
      },
    ],
  }))
})
afterAll(() => server.close())

const valid = {
  client_id: 'web',
  redirect_uri: redirect,
  response_type: 'code',
  scope: 'openid api1',
  state: 'state',
  nonce: 'nonce',
  code_challenge: challenge,
  code_challenge_method: 'S256',
}

async function signIn(
  browser: Browser,
  form: Form = {},
  credentials = { username: 'alice', password: 'alice' },
): Promise<Page> {
  return await browser.submit(await browser.authorize({ ...valid, ...form }), credentials)
}

describe('RFC 6749 §4.1 the authorization endpoint', () => {
  it('[RFC6749-4.1.2] [RFC9207-2] signs in, asks for consent, and answers with code, state and iss', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize(valid)
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-in' } })
    const asked = await browser.submit(page, { username: 'alice', password: 'alice' })
    expect(asked).toMatchObject({ status: 200, form: { action: '/consent' } })
    expect(asked.text).toContain('Read your notes')
    const answered = await browser.submit(asked, { decision: 'allow' })
    expect(answered.status).toBe(303)
    expect(answered.location.startsWith(`${redirect}?`)).toBe(true)
    expect(answered.answer).toEqual({ code: expect.stringMatching(/^[\w-]{43}$/), state: 'state', iss: server.issuer })
  })

  it('answers at once while the session lasts and the consent is remembered', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser)
    const first = asked.status === 303 ? asked : await browser.submit(asked, { decision: 'allow' })
    expect(first.answer.code).toBeDefined()
    expect((await browser.authorize(valid)).answer.code).toBeDefined()
  })

  it('[RFC6749-4.1.2.1] tells the client that the person declined', async () => {
    const browser = openBrowser(server)
    const asked = await signIn(browser, { prompt: 'consent' })
    const answered = await browser.submit(asked, { decision: 'deny' })
    expect(answered.answer).toMatchObject({ error: 'access_denied', state: 'state', iss: server.issuer })
    expect(refusalOn(await browser.submit(asked, { decision: 'allow' }))).toMatchObject({ status: 400 })
  })

  it('asks nobody for consent to a client of the operator', async () => {
    expect((await signIn(openBrowser(server), { client_id: 'own' })).answer.code).toBeDefined()
  })

  it('asks again after a wrong password', async () => {
    const browser = openBrowser(server)
    const again = await signIn(browser, {}, { username: 'alice', password: 'wrong' })
    expect(again).toMatchObject({ status: 400, form: { action: '/sign-in' } })
    expect((await browser.submit(again, { username: 'alice', password: 'alice' })).status).not.toBe(400)
  })
})
