import { type ChildProcess, spawn } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseJsonObject } from '@holdfast/pop'
import { thumbprintOf } from '@holdfast/pop/certificates'
import { createClient, createSession, type NodeClientOptions, proofKeyOf } from '@holdfast/pop/client/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, openBrowser } from './browser.ts'
import { claimsOf } from './harness.ts'
import { requirePrograms } from './requires.ts'
import { serverAt, walk } from './walker.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-login-'))
const program = resolve('packages/server/bin/holdfast.js')
const inSession = (name: string) => join(directory, '.holdfast', 'session', name)
const read = (name: string) => readFileSync(join(directory, '.holdfast', name), 'utf8')

let servers: ChildProcess
let at: Readonly<Record<'issuer' | 'mutualTls' | 'api' | 'web', string>>

beforeAll(async () => {
  servers = start('dev', '--json', '--port-base', String(10_000 + (process.pid % 2400) * 4))
  const [line] = await once(servers.stdout ?? servers, 'data')
  at = JSON.parse(String(line))
})
afterAll(async () => {
  if (servers.exitCode === null && servers.kill()) await once(servers, 'exit')
  rmSync(directory, { recursive: true, force: true })
})

describe('holdfast login, against the development servers', () => {
  it('signs alice in, and gives a token that call can use and steal cannot', async () => {
    const { code, out } = await login('--ephemeral')
    expect(code).toBe(0)
    const token = out.trim()
    expect(claimsOf(token)).toMatchObject({ client_id: 'native', scope: 'openid profile offline_access api1' })
    expect(claimsOf(token).cnf).toEqual({ 'x5t#S256': thumbprintIn(read('session/certificate.pem')) })
    expect((await run('call', `${at.api}/identity`)).code).toBe(0)
    const stolen = await run('steal', '--json')
    expect({ code: stolen.code, safe: JSON.parse(stolen.out).safe }).toEqual({ code: 0, safe: true })
  })

  it('keeps the refresh token for its owner only, and prints it nowhere', async () => {
    const { out, err } = await login('--json')
    const refresh_token = readFileSync(inSession('refresh-token'), 'utf8')
    expect(statSync(inSession('refresh-token')).mode & 0o777).toBe(0o600)
    expect(refresh_token).toMatch(/^[\w-]{43}$/)
    expect(out + err).not.toContain(refresh_token)
    expect(JSON.parse(out)).toMatchObject({ token_type: 'Bearer', name: 'Alice Adams', form: 'JWT' })
  })

  it('binds to a DPoP key made on the fly, which is kept: call proves it, and steal cannot', async () => {
    const { code, out } = await login('--dpop', '--json')
    expect(code).toBe(0)
    const { access_token, token_type, jkt } = JSON.parse(out)
    expect({ token_type, cnf: claimsOf(access_token).cnf }).toEqual({ token_type: 'DPoP', cnf: { jkt } })
    expect(statSync(inSession('dpop-key.jwk')).mode & 0o777).toBe(0o600)
    expect(existsSync(inSession('certificate.pem'))).toBe(false)
    expect((await run('call', `${at.api}/identity`)).code).toBe(0)
    const stolen = await run('steal', '--json')
    expect({ code: stolen.code, safe: JSON.parse(stolen.out).safe }).toEqual({ code: 0, safe: true })
  })

  it('binds the refresh token to the DPoP key: without it, or with another, it is worth nothing', async () => {
    await login('--dpop')
    const renew = renewal()
    await expect(renew({ binding: 'none' })).rejects.toMatchObject({ reason: 'sign_in_required' })
    await expect(renew({ binding: 'dpop' })).rejects.toMatchObject({ reason: 'sign_in_required' })
    expect(await renew({ binding: 'dpop', proofKey: keptKey() })).toMatchObject({ token_type: 'DPoP' })
  })

  it('logout ends what is bound to a DPoP key, at the server too, and removes the key', async () => {
    const { out } = await login('--dpop')
    const [renew, proofKey] = [renewal(), keptKey()]
    expect((await run('logout')).code).toBe(0)
    expect(existsSync(inSession('dpop-key.jwk'))).toBe(false)
    expect(await introspect(out.trim())).toEqual({ active: false })
    await expect(renew({ binding: 'dpop', proofKey })).rejects.toMatchObject({ reason: 'sign_in_required' })
  })

  it.each(['web', 'nobody'])('exits 1 for a client that is not public, and says what it needs: %s', async (client) => {
    const { code, err } = await run('login', '--client', client, '--no-browser')
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('public clients') })
  })

  it('asks for no more than it is told to', async () => {
    const { out } = await login('--scope', 'openid api1')
    expect(claimsOf(out.trim()).scope).toBe('openid api1')
  })

  it('exits 1 when the person declines', async () => {
    const { code, err } = await login('--prompt', 'consent', 'deny')
    expect(code).toBe(1)
    expect(err).toContain('access_denied')
  })

  it('exits 1 when nobody signs in', async () => {
    const { code, err } = await run('login', '--client', 'native', '--no-browser', '--timeout', '0.2')
    expect(code).toBe(1)
    expect(err).toContain('took too long')
  })

  it('exits 2 for a time that is none', async () => {
    expect((await run('login', '--client', 'native', '--timeout', 'soon')).code).toBe(2)
  })

  it('logout ends the tokens at the server, and removes the session', async () => {
    const { out } = await login()
    expect((await run('logout')).code).toBe(0)
    expect(existsSync(inSession('session.json'))).toBe(false)
    expect(await introspect(out.trim())).toEqual({ active: false })
    expect((await run('logout')).code).toBe(66)
  })
})

describe('examples/client-native.ts', () => {
  it('signs in once, and goes on with the key that it kept', async () => {
    const env = { ISSUER: at.issuer, API: at.api, NO_BROWSER: '' }
    const first = startNode([resolve('examples/client-native.ts')], env)
    const [out, printed] = [textOf(first, 'stderr'), addressFrom(first, 'stdout')]
    const callback = await walk(serverAt(at.issuer, read('tls/ca.pem')), await printed.address)
    await fetch(callback).then((response) => response.text())
    expect([await printed.text, await out]).toEqual([expect.stringMatching(/Alice Adams[\s\S]*^200 \{/m), ''])
    const second = startNode([resolve('examples/client-native.ts')], env)
    const [again, errors] = await Promise.all([textOf(second), textOf(second, 'stderr')])
    expect(again).not.toMatch(/^open /m)
    expect([again, errors]).toEqual([expect.stringMatching(/Alice Adams[\s\S]*^200 \{/m), ''])
  })
})

describe('the sample web page', () => {
  const page = () => serverAt(at.web, read('tls/ca.pem'))
  const issuer = () => serverAt(at.issuer, read('tls/ca.pem'))
  const pathOf = (url: string) => new URL(url).pathname + new URL(url).search

  /** Signs in through it. @returns what the browser sees at the end */
  const signIn = async (browser: Browser, username = 'alice') => {
    const begun = await browser.get('/sign-in')
    const callback = await walk(issuer(), begun.location, { username, password: username })
    return await browser.get(pathOf(callback))
  }

  it('asks no browser for a certificate, and needs no script', async () => {
    const shown = await openBrowser(page()).get('/')
    expect(shown.status).toBe(200)
    expect(shown.text).toContain('href="/sign-in"')
    expect(shown.text).not.toContain('<script')
    expect(shown.headers['content-security-policy']).toContain("default-src 'none'")
  })

  requirePrograms('openssl')('as openssl sees it', () => {
    it.each([
      ['web', false],
      ['api', true],
    ] as const)('%s asks for a certificate: %s', async (name, asks) => {
      const told = ['s_client', '-connect', new URL(at[name]).host]
      const child = spawn('openssl', told, { stdio: ['ignore', 'pipe', 'ignore'] })
      const [said] = await Promise.all([textOf(child), once(child, 'exit')])
      expect(said).toContain('BEGIN CERTIFICATE')
      expect(said.includes('Requested Signature Algorithms')).toBe(asks)
    })
  })

  it('signs in, and calls the API with its own certificate: nobody else can use the token', async () => {
    const browser = openBrowser(page())
    const done = await signIn(browser)
    expect(done).toMatchObject({ status: 303, location: '/' })
    const { text } = await browser.get('/')
    expect(text).toContain('Alice Adams')
    expect(text).toContain(thumbprintIn(read('tls/web.pem')))
    expect(text).toMatch(/<b>200 <bdi>admitted<\/bdi><\/b>.*certificate, binding, scope/)
    expect(text).toMatch(/<b>401 <bdi>invalid_token<\/bdi><\/b>/)
  })

  it('gives another session at each sign-in, and forgets the one before', async () => {
    const browser = openBrowser(page())
    await signIn(browser)
    const first = browser.cookies.get('__Host-sample')
    await signIn(browser, 'bob')
    expect(browser.cookies.get('__Host-sample')).not.toBe(first)
    expect((await browser.get('/')).text).toContain('Bob Brown')
    const old = await openBrowser(page()).get('/', { headers: { cookie: `__Host-sample=${first}` } })
    expect(old.text).toContain('Nobody is signed in')
  })

  it('[C11] takes an answer in no other browser than the one that began, and takes it once', async () => {
    const [victim, attacker] = [openBrowser(page()), openBrowser(page())]
    const begun = await attacker.get('/sign-in')
    const callback = pathOf(await walk(issuer(), begun.location))
    expect(await victim.get(callback)).toMatchObject({ status: 400, text: expect.stringContaining('state_mismatch') })
    const kept = [...attacker.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    expect((await attacker.get(callback)).status).toBe(303)
    const again = await openBrowser(page()).get(callback, { headers: { cookie: kept } })
    expect(again).toMatchObject({ status: 400, text: expect.stringContaining('authorization_used') })
  })

  it('signs out, here and at the issuer', async () => {
    const browser = openBrowser(page())
    await signIn(browser)
    const out = await browser.post('/sign-out', {})
    const next = new URL(out.location)
    expect([next.origin, next.pathname, next.searchParams.get('post_logout_redirect_uri')]).toEqual([
      at.issuer,
      '/sign-out',
      `${at.web}/`,
    ])
    expect(browser.cookies.has('__Host-sample')).toBe(false)
    expect((await browser.get('/')).text).toContain('Nobody is signed in')
  })

  it('signs nobody out because another site wants it', async () => {
    const browser = openBrowser(page())
    await signIn(browser)
    for (const site of ['cross-site', 'same-site']) {
      const refused = await browser.post('/sign-out', {}, { headers: { 'sec-fetch-site': site } })
      expect(refused.status).toBe(403)
    }
    expect((await browser.get('/')).text).toContain('Alice Adams')
  })
})

/** Runs the command and walks through the pages, as a browser would that the command opens. */
async function login(...options: string[]) {
  const decision = options.at(-1) === 'deny' ? 'deny' : 'allow'
  const child = start('login', '--client', 'native', '--no-browser', ...options.filter((each) => each !== 'deny'))
  const [out, err] = [textOf(child), addressFrom(child)]
  const address = await err.address
  const callback = await walk(serverAt(at.issuer, read('tls/ca.pem')), address, { decision })
  await fetch(callback).then((response) => response.text())
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
  return { code, out: await out, err: await err.text }
}

/** Asks for a token by the refresh token that is kept now. */
function renewal() {
  const session = createSession({ refresh_token: readFileSync(inSession('refresh-token'), 'utf8') })
  const base = { issuer: at.issuer, client_id: 'native', ca: read('tls/ca.pem') }
  return async (proof: Pick<NodeClientOptions, 'binding' | 'proofKey'>) => {
    await using client = createClient({ ...base, ...proof })
    return await client.token({ session })
  }
}

/** The DPoP key that is kept now. */
function keptKey() {
  const jwk = parseJsonObject(read('session/dpop-key.jwk'))
  return proofKeyOf(createPrivateKey({ key: { ...jwk }, format: 'jwk' }), 'ES256')
}

/** What the issuer says of a token. */
async function introspect(token: string): Promise<unknown> {
  const asked = ['inspect', token, '--introspect', '--client', 'api1', '--secret', 'api1-secret', '--json']
  return JSON.parse((await run(...asked, '--issuer', at.issuer)).out).introspection
}

async function run(...args: string[]) {
  const child = start(...args)
  const [out, err, [code]] = await Promise.all([textOf(child), textOf(child, 'stderr'), once(child, 'exit')])
  return { code, out, err }
}

function start(...args: string[]): ChildProcess {
  return startNode([program, ...args])
}

function startNode(args: readonly string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
  const { NODE_OPTIONS, ...env } = { ...process.env, ...more }
  return spawn(process.execPath, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function textOf(child: ChildProcess, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
  let text = ''
  for await (const chunk of child[stream] ?? []) text += chunk
  return text
}

function addressFrom(child: ChildProcess, stream: 'stdout' | 'stderr' = 'stderr') {
  const found = Promise.withResolvers<string>()
  const text = (async () => {
    let seen = ''
    for await (const chunk of child[stream] ?? []) {
      seen += chunk
      const [address] = /https:\/\/\S+(?=\s)/.exec(seen) ?? []
      if (address !== undefined) found.resolve(address)
    }
    found.reject(new Error(`no address: ${seen}`))
    return seen
  })()
  return { address: found.promise, text }
}

function thumbprintIn(pem: string): string {
  return thumbprintOf(new X509Certificate(pem).raw)
}
