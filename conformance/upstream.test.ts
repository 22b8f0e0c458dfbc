import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import Provider from 'oidc-provider'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createVerifier, openBrowser, type Page, refusalOn } from './browser.ts'
import { claimsOf, freePort, type Harness, startServer } from './harness.ts'

const callback = 'https://app.test/callback'
let server: Harness
let authority: CertificatePair
let upstream: Server
let upstreamIssuer: string
let agent: Agent

beforeAll(async () => {
  authority = await createCertificateAuthority({ name: 'Upstream', keyType: 'P-256' })
  const { certificate: cert, key } = await issueCertificate({
    subject: 'localhost',
    issuer: authority,
    keyType: 'P-256',
    dns: ['localhost'],
  })
  agent = new Agent({ connect: { ca: authority.certificate } })
  const port = await freePort()
  upstreamIssuer = `https://localhost:${port}`
  server = await startServer((settings) => ({
    ...settings,
    outbound: { ca: authority.certificate },
    people: {
      directory: [
        { username: 'alice', subject: 'user:alice', upstream: [{ issuer: upstreamIssuer, sub: 'alice-there' }] },
        { username: 'eve', subject: 'user:eve', upstream: [{ issuer: 'https://other.test', sub: 'eve-there' }] },
        {
          username: 'carol',
          disabled: true,
          password: 'carol',
          upstream: [{ issuer: upstreamIssuer, sub: 'carol-there' }],
        },
      ],
      upstream: [
        {
          id: 'there',
          name: 'There & Co',
          issuer: upstreamIssuer,
          client_id: 'holdfast',
          client_secret: 'upstream-secret',
        },
      ],
    },
    clients: [
      {
        client_id: 'web',
        client_secret: 'secret',
        consent: 'skip',
        grant_types: ['authorization_code'],
        redirect_uris: [callback],
        scope: 'openid',
      },
    ],
  }))
  const provider = new Provider(upstreamIssuer, {
    clients: [
      {
        client_id: 'holdfast',
        client_secret: 'upstream-secret',
        token_endpoint_auth_method: 'client_secret_post',
        redirect_uris: [`${server.issuer}/sign-in/callback`],
      },
    ],
    pkce: { required: () => true },
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
  })
  upstream = createServer({ cert, key }, provider.callback()).listen(port, '127.0.0.1')
  await once(upstream, 'listening')
})
afterAll(async () => {
  await server.close()
  await agent.close()
  upstream.close()
  upstream.closeAllConnections()
})

describe('OpenID Connect Core §3.1 sign-in through oidc-provider', () => {
  it('signs in whose account is linked, and gives the client its code', async () => {
    const { browser, page, verifier } = await open()
    expect(page.text).toContain('Continue with <bdi>There &amp; Co</bdi>')
    const answered = await browser.get(await comeBack(browser, page, 'alice-there'))
    expect(answered.location.startsWith(`${callback}?`)).toBe(true)
    const form = { grant_type: 'authorization_code', code: answered.answer.code, redirect_uri: callback }
    const { json } = await server.post('/token', {
      ...form,
      code_verifier: verifier,
      client_id: 'web',
      client_secret: 'secret',
    })
    expect(claimsOf(json.id_token)).toMatchObject({ iss: server.issuer, sub: 'user:alice', aud: 'web' })
  })

  it('asks with PKCE, nonce and a state of its own each time', async () => {
    const { browser, page } = await open()
    const [first, second] = [await leave(browser, page), await leave(browser, page)]
    expect(first.searchParams.get('code_challenge_method')).toBe('S256')
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(first.searchParams.get(name)).not.toBe(second.searchParams.get(name))
  })

  it('asks there for a new sign-in where the client asks for one', async () => {
    const { browser, page } = await open({ prompt: 'login' })
    expect((await leave(browser, page)).searchParams.get('prompt')).toBe('login')
  })

  it.each([{ prompt: 'login' }, { max_age: '3600' }])('takes a new sign-in for %o, and says when', async (asked) => {
    const { browser, page } = await open(asked)
    expect((await browser.get(await comeBack(browser, page, 'alice-there'))).answer.code).toBeDefined()
  })

  it.each([{ prompt: 'login' }, { max_age: '3600' }])(
    'does not take an old one for %o, whatever the browser leaves out on its way there',
    async (asked) => {
      const { browser, page } = await open(asked)
      const leaveOut = ({ searchParams }: URL) => {
        for (const name of ['prompt', 'max_age']) searchParams.delete(name)
      }
      const answered = await browser.get(await comeBack(browser, page, 'alice-there', leaveOut))
      expect(answered.answer).toMatchObject({ error: 'login_required' })
      expect([...browser.cookies.keys()]).not.toContain('__Host-session')
    },
  )

  it('does not take one from before the client asked', async () => {
    server.advance(70)
    try {
      const { browser, page } = await open({ prompt: 'login' })
      const answered = await browser.get(await comeBack(browser, page, 'alice-there'))
      expect(answered.answer).toMatchObject({ error: 'login_required' })
    } finally {
      server.advance(-70)
    }
  })

  it.each([
    ['whom nobody here knows', 'mallory'],
    ['whose link is to another provider', 'eve-there'],
    ['who is disabled here', 'carol-there'],
  ])('refuses somebody %s, without a session', async (_, sub) => {
    const { browser, page } = await open()
    const refused = await browser.get(await comeBack(browser, page, sub))
    expect(refusalOn(refused)).toEqual({ status: 400, error: 'access_denied' })
    expect(server.reports.at(-1)?.reason).toBe('upstream_person_unknown')
    expect([...browser.cookies.keys()]).not.toContain('__Host-session')
  })

  it('refuses an answer in another browser', async () => {
    const { browser, page } = await open()
    const back = await comeBack(browser, page, 'alice-there')
    const other = openBrowser(server)
    await other.authorize(request().form)
    expect(refusalOn(await other.get(back)).status).toBe(400)
    expect(server.reports.at(-1)?.reason).toBe('flow_unknown')
  })

  it.each([
    ['another state', (query: URLSearchParams) => query.set('state', `${query.get('state')}x`), 'page_token_wrong'],
    ['no state', (query: URLSearchParams) => query.delete('state'), 'flow_unknown'],
    ['another code', (query: URLSearchParams) => query.set('code', 'x'), 'upstream_refused'],
    ['another iss', (query: URLSearchParams) => query.set('iss', 'https://evil.test'), 'upstream_refused'],
    ['an error', (query: URLSearchParams) => query.set('error', 'access_denied'), 'upstream_refused'],
  ])('refuses an answer with %s', async (_, change, reason) => {
    const { browser, page } = await open()
    const back = new URL(await comeBack(browser, page, 'alice-there'), server.issuer)
    change(back.searchParams)
    expect((await browser.get(`${back.pathname}${back.search}`)).status).toBeGreaterThanOrEqual(400)
    expect(server.reports.at(-1)?.reason).toBe(reason)
  })

  it('refuses the same answer a second time', async () => {
    const { browser, page } = await open()
    const back = await comeBack(browser, page, 'alice-there')
    expect((await browser.get(back)).status).toBe(303)
    expect((await browser.get(back)).status).toBe(400)
  })

  it('refuses a provider that nobody configured', async () => {
    const { browser, page } = await open()
    const refused = await browser.get(linkOn(page).replace('upstream=there', 'upstream=evil'))
    expect(refusalOn(refused)).toEqual({ status: 400, error: 'invalid_request' })
  })

  it('takes no password of somebody who has none', async () => {
    const { browser, page } = await open()
    for (const password of ['', 'alice', 'undefined'])
      expect((await browser.submit(page, { username: 'alice', password })).status).toBe(400)
  })
})

describe('a provider that cannot be reached', () => {
  it('is told to the person, who may try again', async () => {
    const harness = await startServer((settings) => ({
      ...settings,
      people: {
        upstream: [
          { id: 'gone', name: 'Gone', issuer: 'https://localhost:1', client_id: 'holdfast', client_secret: 'secret' },
        ],
      },
      clients: [
        {
          client_id: 'web',
          client_secret: 'secret',
          grant_types: ['authorization_code'],
          redirect_uris: [callback],
          scope: 'openid',
        },
      ],
    }))
    try {
      const browser = openBrowser(harness)
      const page = await browser.authorize(request().form)
      expect(refusalOn(await browser.get(linkOn(page)))).toEqual({ status: 503, error: 'temporarily_unavailable' })
    } finally {
      await harness.close()
    }
  })
})

function request() {
  const { verifier, challenge } = createVerifier()
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' }
  const form = { client_id: 'web', redirect_uri: callback, response_type: 'code', scope: 'openid', state: 's', ...pkce }
  return { verifier, form }
}

async function open(more: Readonly<Record<string, string>> = {}) {
  const browser = openBrowser(server)
  const { verifier, form } = request()
  return { browser, verifier, page: await browser.authorize({ ...form, ...more }) }
}

function linkOn({ text }: Page): string {
  return (/<a class="button" href="([^"]*)"/.exec(text)?.[1] ?? '').replaceAll('&amp;', '&')
}

/** Follows the link of the sign-in page. */
async function leave(browser: Browser, page: Page): Promise<URL> {
  const { status, location } = await browser.get(linkOn(page))
  expect(status).toBe(303)
  return new URL(location)
}

/** Signs in there with the pages that oidc-provider has for tests, and gives the path that it sends the browser back to. */
async function comeBack(
  browser: Browser,
  page: Page,
  sub: string,
  change: (url: URL) => void = () => undefined,
): Promise<string> {
  const jar = new Map<string, string>()
  let next = await leave(browser, page)
  change(next)
  let form: Record<string, string> | undefined
  for (let steps = 0; steps < 12 && next.origin === upstreamIssuer; steps++) {
    const answer = await undiciFetch(next, {
      dispatcher: agent,
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      jar.set(name, value)
    }
    const text = await answer.text()
    const location = answer.headers.get('location')
    if (location !== null) {
      form = undefined
      next = new URL(location, next)
    } else {
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1] ?? ''
      next = new URL(/<form[^>]*action="([^"]+)"/.exec(text)?.[1] ?? '', next)
      form = { prompt, login: sub, password: 'any' }
    }
  }
  expect(next.origin).toBe(server.issuer)
  return `${next.pathname}${next.search}`
}
