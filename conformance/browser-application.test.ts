import { parseJsonObject } from '@holdfast/pop'
import { MutualTls } from '@holdfast/pop/client/node'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Development, startDevelopment } from './chromium/development.ts'

let at: Development
let connections: MutualTls
beforeAll(async () => {
  at = await startDevelopment()
  connections = new MutualTls({ ca: at.ca })
})
afterAll(async () => {
  await connections?.close()
  await at?.close()
})

const get = (path: string) => connections.fetch(`${at.application}${path}`)
const sharing = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => /^(access-control-|vary$)/.test(name)))

describe('the sample browser application, as it is served', () => {
  it('is one page, which scripts from beside it and nobody else can use', async () => {
    const { status, headers } = await get('')
    const policy = headers.get('content-security-policy') ?? ''
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(policy.split('; ').filter((each) => !each.startsWith('style-src'))).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      `connect-src ${at.issuer} ${at.api}`,
      "require-trusted-types-for 'script'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(sharing(await get(''))).toEqual({})
  })

  it('is modules that lead to each other, to nothing else and to nothing of Node', async () => {
    const seen = new Set<string>()
    const walk = async (path: string): Promise<void> => {
      if (seen.has(path)) return
      seen.add(path)
      const response = await get(path)
      expect([path, response.status, response.headers.get('content-type')]).toEqual([
        path,
        200,
        'text/javascript; charset=utf-8',
      ])
      const text = await response.text()
      const specifiers = [...text.matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'/gm)].map(
        ([, found = '']) => found,
      )
      for (const specifier of specifiers) {
        expect([path, specifier]).toEqual([path, expect.stringMatching(/^\.\.?\//)])
        await walk(new URL(specifier, `${at.application}${path}`).href.slice(at.application.length))
      }
    }
    const [, script = ''] = /src="\/browser\/([^"]+)"/.exec(await (await get('')).text()) ?? []
    await walk(script)
    expect(seen).toContain('pop/client.ts')
    expect(seen.size).toBeGreaterThan(10)
  })

  it.each([
    'nothing',
    'index.html',
    'pop/',
    'pop/nothing.ts',
    'pop/client',
    'pop/client/client.test.ts',
    'pop/..%2fpackage.json',
    'pop/%2e%2e/package.json',
    'pop//etc/passwd',
    'pop/.ts',
    'application.js',
    'constructor',
  ])('is nothing else: %s', async (path) => {
    expect((await get(path)).status).toBe(404)
  })

  it('takes no POST', async () => {
    expect((await connections.fetch(at.application, { method: 'POST' })).status).toBe(404)
  })
})

describe('the servers that it calls', () => {
  const ask = (url: string, origin: string, method = 'OPTIONS') =>
    connections.fetch(url, {
      method,
      headers: { origin, ...(method === 'OPTIONS' && { 'access-control-request-method': 'GET' }) },
    })

  it('answer preflights of its origin', async () => {
    const issuer = await ask(`${at.issuer}/userinfo`, at.web)
    const api = await ask(`${at.api}/identity`, at.web)
    const common = {
      vary: 'Origin',
      'access-control-allow-origin': at.web,
      'access-control-allow-headers': 'authorization, content-type, dpop',
      'access-control-max-age': '7200',
    }
    expect([issuer.status, api.status]).toEqual([204, 204])
    expect(sharing(issuer)).toEqual({ ...common, 'access-control-allow-methods': 'GET, HEAD, POST' })
    expect(sharing(api)).toEqual({ ...common, 'access-control-allow-methods': 'GET, HEAD' })
  })

  it('let it read refusals', async () => {
    const { status, headers } = await ask(`${at.api}/identity`, at.web, 'GET')
    expect([status, headers.get('access-control-allow-origin')]).toEqual([401, at.web])
    expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })

  it.each(['null', 'https://evil.test', 'https://localhost'])('tell nothing to %s', async (origin) => {
    for (const url of [`${at.issuer}/userinfo`, `${at.api}/identity`]) {
      for (const method of ['OPTIONS', 'GET']) {
        const answer = await ask(url, origin, method)
        expect([answer.ok, sharing(answer)]).toEqual([false, { vary: 'Origin' }])
      }
    }
  })

  it('give its client no token without a proof', async () => {
    const form = { client_id: 'browser', grant_type: 'refresh_token', refresh_token: 'unknown' }
    const answer = await connections.fetch(`${at.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_request' }])
  })

  it('ask for a nonce when they are told to', async () => {
    const asking = await startDevelopment('--nonces')
    onTestFinished(() => asking.close())
    const trusting = new MutualTls({ ca: asking.ca })
    onTestFinished(() => trusting.close())
    const key = createTestProofKey()
    const errorAt = async ({ issuer }: Development, { fetch }: MutualTls) => {
      const url = `${issuer}/token`
      const form = { client_id: 'client', client_secret: 'secret', grant_type: 'client_credentials' }
      const dpop = signProof(key, { method: 'POST', url, now: Math.floor(Date.now() / 1000) })
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers: { dpop } })
      const { error } = parseJsonObject(await answer.text()) ?? {}
      return error
    }
    expect(await errorAt(at, connections)).toBeUndefined()
    expect(await errorAt(asking, trusting)).toBe('use_dpop_nonce')
  })
})
