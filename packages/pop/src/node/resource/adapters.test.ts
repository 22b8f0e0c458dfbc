import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Agent, createServer, type RequestOptions, request, type Server } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { fastify } from 'fastify'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Guard, GuardReport } from '../../resource/guard.ts'
import type { GuardOptions } from '../../resource/policy.ts'
import { createTestIssuer } from '../../testing/issuer.ts'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from '../certificates/make.ts'
import { verdictOf } from './exchange.ts'
import { protect as protectExpress } from './express.ts'
import { protect as protectFastify } from './fastify.ts'
import { createGuard } from './guard.ts'
import { protect } from './node.ts'
import { clientCertificateTlsOptions } from './tls-options.ts'

const now = () => Math.floor(Date.now() / 1000)
const issuer = createTestIssuer({ now })
const express: () => ExpressApp = createRequire(import.meta.url)('express')

interface ExpressApp extends RequestListener {
  use(middleware: unknown): void
  get(path: string, ...handlers: unknown[]): void
}

const adapters: Readonly<Record<string, (guard: Guard) => Promise<RequestListener>>> = {
  'node:https': async (guard) => protect(guard, (_, response, { token }) => response.end(token.clientId)),
  'Express 5': async (guard) => {
    const app = express()
    app.use(protectExpress(guard))
    app.get('/orders', (request: object, response: ServerResponse) => response.end(verdictOf(request).token.clientId))
    app.get('/all', protectExpress(guard, { scope: 'all' }), (_: object, response: ServerResponse) => response.end())
    return app
  },
  'Fastify 5': async (guard) => {
    const app = fastify()
    app.addHook('onRequest', protectFastify(guard))
    app.get('/orders', (request, reply) => reply.send(verdictOf(request).token.clientId))
    app.get('/all', { onRequest: protectFastify(guard, { scope: 'all' }) }, (_, reply) => reply.send(''))
    await app.ready()
    return (incoming, response) => app.routing(incoming, response)
  },
}

let host: CertificatePair
let own: CertificatePair
let other: CertificatePair
let renewed: CertificatePair
let token: string
const opened: Server[] = []

beforeAll(async () => {
  host = await issueCertificate({ subject: 'localhost', keyType: 'P-256', dns: ['localhost'] })
  own = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  other = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  renewed = await createClientCertificate({ name: 'client', keyType: 'P-256', key: own.key })
  token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': own.thumbprint } } })
})

afterEach(async () => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

function guardWith(options: Partial<GuardOptions> = {}, reports: GuardReport[] = []): Guard {
  return createGuard(
    { issuer: issuer.issuer, identifier: issuer.audience, ...options },
    { fetch: issuer.fetch, report: (report) => reports.push(report) },
  )
}

async function listen(listener: RequestListener, options: object = clientCertificateTlsOptions): Promise<number> {
  const server = createServer({ ...options, cert: host.certificate, key: host.key }, listener)
  opened.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Answer {
  readonly status: number | undefined
  readonly challenge: string | undefined
  readonly body: string
}

function call(
  port: number,
  {
    pair,
    path = '/orders',
    headers = { authorization: `Bearer ${token}` },
    agent = false,
    method = 'GET',
  }: {
    readonly pair?: Pick<CertificatePair, 'certificate' | 'key'> | undefined
    readonly path?: string
    readonly headers?: RequestOptions['headers']
    readonly agent?: Agent | false
    readonly method?: string
  } = {},
): Promise<Answer> {
  const identity = pair ? { cert: pair.certificate, key: pair.key } : {}
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca: host.certificate, ...identity }
  return new Promise((resolve, reject) => {
    request({ ...options, path, agent, headers, method }, async (response) => {
      let body = ''
      for await (const part of response.setEncoding('utf8')) body += String(part)
      resolve({ status: response.statusCode, challenge: response.headers['www-authenticate'], body })
    })
      .on('error', reject)
      .end()
  })
}

describe.each(Object.entries(adapters))('RFC 8705 §3 over real TLS, behind %s', (_, adapter) => {
  it('admits the certificate of the token', async () => {
    const port = await listen(await adapter(guardWith()))
    expect(await call(port, { pair: own })).toMatchObject({ status: 200, body: 'client' })
  })

  it.each<[string, () => CertificatePair | undefined]>([
    ['no certificate', () => undefined],
    ['another with the same name', () => other],
    ['a renewed one with the same key', () => renewed],
  ])('refuses %s', async (_name, pair) => {
    const port = await listen(await adapter(guardWith()))
    expect(await call(port, { pair: pair() })).toMatchObject({
      status: 401,
      challenge: expect.stringMatching(/^Bearer error="invalid_token"/),
      body: expect.stringContaining('"error":"invalid_token"'),
    })
  })

  it('judges every request of a connection', async () => {
    const port = await listen(await adapter(guardWith()))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect(await call(port, { pair: own, agent })).toMatchObject({ status: 200 })
    expect(await call(port, { pair: own, agent, headers: {} })).toMatchObject({ status: 401 })
    expect(await call(port, { pair: own, agent })).toMatchObject({ status: 200 })
    agent.destroy()
  })

  it('[S01] [S03] [S02] answers what is no token', async () => {
    const port = await listen(await adapter(guardWith()))
    expect(await call(port, { pair: own, headers: {} })).toMatchObject({
      status: 401,
      challenge: expect.stringMatching(
        /^Bearer resource_metadata="[^"]+", DPoP algs="[^"]+", resource_metadata="[^"]+"$/,
      ),
    })
    const twice = ['host', 'localhost', 'authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`]
    expect(await call(port, { pair: own, headers: twice })).toMatchObject({
      status: 400,
      challenge: undefined,
      body: expect.stringContaining('invalid_request'),
    })
    expect(await call(port, { pair: own, path: `/orders?access_token=${token}` })).toMatchObject({ status: 400 })
    expect(await call(port, { pair: own, path: '//evil.test/orders' })).toMatchObject({ status: 400 })
    expect(await call(port, { pair: own, path: 'https://evil.test/orders' })).toMatchObject({ status: 400 })
  })

  it('ignores a certificate in a header', async () => {
    const port = await listen(await adapter(guardWith()))
    const forged = Buffer.from(own.certificate).toString('base64')
    const headers = { authorization: `Bearer ${token}`, 'client-cert': `:${forged}:`, 'x-ssl-cert': forged }
    expect(await call(port, { headers })).toMatchObject({ status: 401 })
  })

  it('answers at the well-known place without a token', async () => {
    const port = await listen(await adapter(guardWith({ scopes: ['api1'] })))
    const { status, body } = await call(port, { path: '/.well-known/oauth-protected-resource', headers: {} })
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({
      resource: 'https://api.test',
      authorization_servers: ['https://issuer.test'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['api1'],
      tls_client_certificate_bound_access_tokens: true,
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'],
    })
  })

  it('answers HEAD without a body', async () => {
    const port = await listen(await adapter(guardWith()))
    expect(await call(port, { method: 'HEAD' })).toMatchObject({ status: 401, body: '' })
  })

  it('says when to come again where the issuer cannot be reached', async () => {
    const guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience },
      { fetch: () => Promise.reject(new TypeError('fetch failed')), report: () => {} },
    )
    const port = await listen(await adapter(guard))
    expect(await call(port, { pair: own })).toMatchObject({ status: 503, challenge: undefined })
  })
})

describe.each(['Express 5', 'Fastify 5'])('what a route of %s needs', (name) => {
  it('[RFC6750-3.1] is a scope', async () => {
    const port = await listen((await adapters[name]?.(guardWith())) ?? (() => {}))
    expect(await call(port, { pair: own, path: '/all' })).toMatchObject({
      status: 403,
      challenge: expect.stringContaining('scope="all"'),
    })
  })
})

describe('RFC 8705 §7.1 resumed TLS sessions over real TLS', () => {
  const resumable = { requestCert: true, rejectUnauthorized: false, ca: [] }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s are refused where asked to', async (version) => {
    const listener = await adapters['node:https']?.(guardWith({ resumedSessions: 'refuse' }))
    const port = await listen(listener ?? (() => {}), resumable)
    const agent = new Agent({ keepAlive: false, minVersion: version, maxVersion: version })
    expect(await call(port, { pair: own, agent })).toMatchObject({ status: 200 })
    expect(await call(port, { pair: own, agent })).toMatchObject({
      status: 401,
      body: expect.stringContaining('resumed'),
    })
  })

  it('are admitted with one warning otherwise', async () => {
    const reports: GuardReport[] = []
    const port = await listen((await adapters['node:https']?.(guardWith({}, reports))) ?? (() => {}), resumable)
    const agent = new Agent({ keepAlive: false })
    for (let i = 0; i < 3; i++) expect(await call(port, { pair: own, agent })).toMatchObject({ status: 200 })
    expect(reports).toMatchObject([{ event: 'session_resumed', level: 'warn' }])
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('do not happen with our options, in %s', async (version) => {
    const listener = await adapters['node:https']?.(guardWith({ resumedSessions: 'refuse' }))
    const port = await listen(listener ?? (() => {}))
    const agent = new Agent({ keepAlive: false, minVersion: version, maxVersion: version })
    for (let i = 0; i < 2; i++) expect(await call(port, { pair: own, agent })).toMatchObject({ status: 200 })
  })
})

describe('a chain of certificates', () => {
  it('[RFC8705-7.5] may have ten, and not eleven', async () => {
    let ca = await createCertificateAuthority({ name: 'CA 1' })
    let chain = ca.certificate
    for (let i = 2; i <= 9; i++) {
      ca = await createCertificateAuthority({ name: `CA ${i}`, issuer: ca })
      chain = ca.certificate + chain
    }
    const issue = async (from: CertificatePair, above: string) => {
      const leaf = await issueCertificate({ subject: 'client', keyType: 'P-256', issuer: from })
      return {
        pair: { certificate: leaf.certificate + above, key: leaf.key },
        headers: {
          authorization: `Bearer ${issuer.accessToken({ claims: { cnf: { 'x5t#S256': leaf.thumbprint } } })}`,
        },
      }
    }
    const reports: GuardReport[] = []
    const port = await listen((await adapters['node:https']?.(guardWith({}, reports))) ?? (() => {}))
    expect(await call(port, await issue(ca, chain))).toMatchObject({ status: 200 })
    const below = await createCertificateAuthority({ name: 'CA 10', issuer: ca })
    expect(await call(port, await issue(below, below.certificate + chain))).toMatchObject({ status: 401 })
    expect(reports).toMatchObject([{ seen: 'certificate_chain_too_long' }])
  })
})

describe('S42: what never ends the process', () => {
  const failing = async (handler: (request: IncomingMessage, response: ServerResponse) => unknown) => {
    const reports: GuardReport[] = []
    const port = await listen(protect(guardWith({}, reports), handler))
    return { reports, answer: await call(port, { pair: own }).catch((error: NodeJS.ErrnoException) => error) }
  }

  it('a handler that throws', async () => {
    const { answer, reports } = await failing(() => {
      throw new Error('secret detail')
    })
    expect(answer).toMatchObject({ status: 500, body: expect.stringContaining('server_error') })
    expect(JSON.stringify(answer)).not.toContain('secret detail')
    expect(reports).toMatchObject([{ event: 'failed', level: 'error' }])
  })

  it('a handler that rejects', async () => {
    const { answer } = await failing(async () => Promise.reject(new Error('no')))
    expect(answer).toMatchObject({ status: 500 })
  })

  it('a handler that throws in the middle of its answer', async () => {
    const { answer } = await failing((_, response) => {
      response.writeHead(200).write('half')
      throw new Error('no')
    })
    expect(answer).toBeInstanceOf(Error)
  })

  it('a connection that ends while its request is judged', async () => {
    const { promise: judging, resolve: judged } = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience },
      {
        report: () => {},
        fetch: async (...input) => {
          reached.resolve()
          await judging
          return issuer.fetch(...input)
        },
      },
    )
    const handled = Promise.withResolvers<boolean>()
    const port = await listen(
      protect(guard, (incoming: IncomingMessage, response: ServerResponse, { possession }) => {
        response.end('late')
        handled.resolve(incoming.socket.destroyed && possession !== undefined)
      }),
    )
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: host.certificate,
      cert: own.certificate,
      key: own.key,
    })
    socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`)
    await reached.promise
    socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    judged()
    expect(await handled.promise).toBe(true)
  })
})
