import { createServer, type Server } from 'node:https'
import { MutualTls } from '@holdfast/pop/client/node'
import { createGuard, tlsOptions } from '@holdfast/pop/resource/node'
import { createTestIssuer, inboundWith, issueCertificate, type TestIssuer } from '@holdfast/pop/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { freePort } from './harness.ts'

vi.setConfig({ testTimeout: 40_000 })

const day = 86_400

/** What the issuer's server does with those who ask for its keys. */
type Mode =
  | 'up'
  | 'gone'
  | 'ends'
  | 'hangs'
  | { readonly status: number; readonly body: string; readonly type?: string }

describe('[F18] an API whose issuer', () => {
  let issuer: TestIssuer
  let server: Server
  let outgoing: MutualTls
  let guard: ReturnType<typeof createGuard>
  let mode: Mode
  let asked: number
  let now: number
  let count = 0
  beforeEach(async () => {
    const pair = await issueCertificate({ subject: 'localhost', keyType: 'P-256', dns: ['localhost'] })
    const port = await freePort()
    now = Math.floor(Date.now() / 1000)
    asked = 0
    mode = 'up'
    issuer = createTestIssuer({ issuer: `https://localhost:${port}`, now: () => now })
    server = createServer({ ...tlsOptions, cert: pair.certificate, key: pair.key }, async (request, response) => {
      if (request.url?.endsWith('/keys')) asked++
      if (mode === 'ends') return void request.socket.destroy()
      if (mode === 'hangs') return
      if (typeof mode === 'object' && request.url?.endsWith('/keys'))
        return void response.writeHead(mode.status, { 'content-type': mode.type ?? 'application/json' }).end(mode.body)
      const answer = await issuer.fetch(`${issuer.issuer}${request.url}`, {})
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
    })
    await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve))
    outgoing = new MutualTls({ certificate: undefined, ca: pair.certificate })
    guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience, binding: 'when-bound' },
      { fetch: outgoing.fetch, now: () => now, report: () => {} },
    )
    expect(await ask(token())).toBe('admitted')
  })
  afterEach(async () => {
    server.closeAllConnections()
    await outgoing.close()
    await new Promise((resolve) => server.close(resolve))
  })

  const token = (header = {}) => issuer.accessToken({ header, claims: { exp: now + 3600 } })
  const unknown = () => token({ kid: `unknown ${count++}` })

  async function ask(presented: string): Promise<string> {
    const verdict = await guard.judge(inboundWith(presented))
    return verdict.admitted ? 'admitted' : verdict.reason
  }

  /** How long the answers to some take that come one after the other, in milliseconds: the median. */
  async function timeOf(count: number, present: () => string): Promise<number> {
    const times: number[] = []
    for (let round = 0; round < count; round++) {
      const presented = present()
      const began = performance.now()
      await ask(presented)
      times.push(performance.now() - began)
    }
    return times.sort((one, other) => one - other)[Math.floor(count / 2)] ?? 0
  }

  it.each<[string, Mode]>([
    ['is not there', 'gone'],
    ['ends connections', 'ends'],
    ['hangs', 'hangs'],
    ['answers with a page', { status: 200, body: '<html></html>', type: 'text/html' }],
    ['answers with no key', { status: 200, body: '{"keys":[]}' }],
    ['answers what is no JWK set', { status: 200, body: '{"keys":{}}' }],
    ['sends elsewhere', { status: 302, body: '' }],
    ['fails', { status: 500, body: '{}' }],
  ])(
    '%s: goes on with the keys that it has for a day, declines names that it does not know at once',
    async (_, fault) => {
      mode = fault
      if (fault === 'gone') {
        server.close()
        server.closeAllConnections()
      }
      now += 31
      expect(await ask(token())).toBe('admitted')
      // An answer of ours takes half a millisecond; the other half is what signing the next token takes.
      const busy = await timeOf(20, token)
      expect(['token_key_unknown', 'keys_unavailable']).toContain(await ask(unknown()))
      expect(await timeOf(50, unknown)).toBeLessThan(5 + 3 * busy)
      const later = Math.floor(day * 0.9)
      now += later
      expect(await ask(token())).toBe('admitted')
      now += day - later
      expect(await ask(token())).toBe('keys_unavailable')
    },
  )

  it('fails is asked once in 30 seconds at most, whatever comes', async () => {
    mode = { status: 500, body: '{}' }
    const before = asked
    for (let second = 0; second < 300; second++) {
      now += 1
      await Promise.all([ask(unknown()), ask(token()), ask(unknown())])
    }
    expect(asked - before).toBeGreaterThan(0)
    expect(asked - before).toBeLessThanOrEqual(10)
  })

  it('comes back is asked again, and what it signs since is admitted', async () => {
    mode = 'ends'
    now += 31
    expect(await ask(token())).toBe('admitted')
    mode = 'up'
    now += 31
    await ask(token())
    await expect.poll(() => ask(token())).toBe('admitted')
    now += day - 10
    expect(await ask(token())).toBe('admitted')
  })
})
