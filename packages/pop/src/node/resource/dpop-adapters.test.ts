import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer, request, type Server } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Guard } from '../../resource/guard.ts'
import type { DpopOptions } from '../../resource/policy.ts'
import { createTestIssuer } from '../../testing/issuer.ts'
import { createTestProofKey, signProof } from '../../testing/proofs.ts'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from '../certificates/make.ts'
import { corsHeaders, verdictOf } from './exchange.ts'
import { protect as protectExpress } from './express.ts'
import { protect as protectFastify } from './fastify.ts'
import { createGuard } from './guard.ts'
import { protect } from './node.ts'
import { clientCertificateTlsOptions } from './tls-options.ts'

const now = () => Math.floor(Date.now() / 1000)
const issuer = createTestIssuer({ now })
const key = createTestProofKey()
const token = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })
const url = `${issuer.audience}/v1/orders`
const express: () => ExpressApp = createRequire(import.meta.url)('express')
const exposed = 'WWW-Authenticate, DPoP-Nonce, Date, Retry-After'
const allow = corsHeaders.allowedHeaders.join(', ')

interface ExpressApp extends RequestListener {
  use(...middleware: unknown[]): void
  get(path: string, ...handlers: unknown[]): void
}

/** Each serves `/v1/orders`, and answers preflights before the guard. */
const adapters: Readonly<Record<string, (guard: Guard) => Promise<RequestListener>>> = {
  'node:https': async (guard) => {
    const guarded = protect(guard, (_, response, { token: { clientId } }) =>
      response.writeHead(200, { 'x-handler': 'yes' }).end(clientId),
    )
    return (incoming, response) => {
      response.setHeader('access-control-expose-headers', corsHeaders.exposedHeaders.join(', '))
      if (incoming.method === 'OPTIONS') response.writeHead(204, { 'access-control-allow-headers': allow }).end()
      else guarded(incoming, response)
    }
  },
  'Express 5, below a router': async (guard) => {
    const app = express()
    app.use((incoming: { method: string }, response: ServerResponse, next: () => void) => {
      response.setHeader('access-control-expose-headers', corsHeaders.exposedHeaders.join(', '))
      if (incoming.method === 'OPTIONS') response.writeHead(204, { 'access-control-allow-headers': allow }).end()
      else next()
    })
    app.use('/v1', protectExpress(guard), (asked: object, response: ServerResponse) =>
      response.writeHead(200, { 'x-handler': 'yes' }).end(verdictOf(asked).token.clientId),
    )
    return app
  },
  'Fastify 5': async (guard) => {
    const app = fastify()
    app.addHook('onRequest', async (asked, reply) => {
      reply.header('access-control-expose-headers', corsHeaders.exposedHeaders.join(', '))
      if (asked.method === 'OPTIONS') return reply.code(204).header('access-control-allow-headers', allow).send('')
      return undefined
    })
    app.addHook('onRequest', protectFastify(guard))
    app.all('/v1/orders', (asked, reply) => reply.header('x-handler', 'yes').send(verdictOf(asked).token.clientId))
    await app.ready()
    return (incoming, response) => app.routing(incoming, response)
  },
}

let host: CertificatePair
const opened: Server[] = []

beforeAll(async () => {
  host = await issueCertificate({ subject: 'localhost', keyType: 'P-256', dns: ['localhost'] })
})

afterEach(async () => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer({ ...clientCertificateTlsOptions, cert: host.certificate, key: host.key }, listener)
  opened.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // as: a TCP server that listens has an address of this kind.
  return (server.address() as AddressInfo).port
}

function guardWith(dpop: DpopOptions = {}): Guard {
  return createGuard(
    { issuer: issuer.issuer, identifier: issuer.audience, dpop },
    { fetch: issuer.fetch, report: () => {} },
  )
}

function proof(nonce?: string, method = 'GET'): string {
  return signProof(key, { method, url, accessToken: token, now: now(), ...(nonce !== undefined && { nonce }) })
}

interface Asked {
  readonly method?: string
  readonly pair?: Pick<CertificatePair, 'certificate' | 'key'>
}

/** Sends headers as names and values by turns, so that one may come twice. */
async function call(port: number, headers: readonly string[], { method = 'GET', pair }: Asked = {}) {
  const identity = pair && { cert: pair.certificate, key: pair.key }
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca: host.certificate, agent: false as const }
  const sent = request({
    ...options,
    ...identity,
    method,
    path: '/v1/orders?page=1',
    headers: ['host', 'localhost', ...headers],
  })
  sent.end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const part of response.setEncoding('utf8')) body += String(part)
  const { statusCode: status, headersDistinct } = response
  return { status, body, headers: headersDistinct as Readonly<Record<string, readonly string[] | undefined>> }
}

const again = proof()
const authorization = ['authorization', `DPoP ${token}`]

describe.each(Object.entries(adapters))('RFC 9449 §7 over real TLS, behind %s', (_, adapter) => {
  it('[RFC9449-7.1-2] admits the proof of this request, once', async () => {
    const port = await listen(await adapter(guardWith()))
    const headers = [...authorization, 'dpop', proof()]
    const first = await call(port, headers)
    expect([first.status, first.body, first.headers['dpop-nonce']]).toEqual([200, 'client', undefined])
    const second = await call(port, headers)
    expect(second.status).toBe(401)
    expect(second.headers['www-authenticate']).toEqual([expect.stringMatching(/^DPoP error="invalid_dpop_proof"/)])
  })

  it.each<[string, () => readonly string[]]>([
    ['none', () => []],
    ['an empty one', () => ['DPoP', '']],
    ['two', () => ['dpop', proof(), 'DPoP', proof()]],
    ['the same twice', () => ['dpop', again, 'dpop', again]],
    ['one behind an empty one', () => ['dpop', '', 'dpop', proof()]],
    ['two in one', () => ['dpop', `${proof()}, ${proof()}`]],
    ['one in another header', () => ['x-dpop', proof()]],
  ])('[S08] [RFC9449-4.3-1] refuses of proofs %s', async (_name, headers) => {
    const { status, headers: said } = await call(await listen(await adapter(guardWith())), [
      ...authorization,
      ...headers(),
    ])
    expect(status).toBe(401)
    expect(said['www-authenticate']).toEqual([expect.stringMatching(/^DPoP error="invalid_dpop_proof"/)])
  })

  it('[S13] wants a proof of its own for HEAD', async () => {
    const port = await listen(await adapter(guardWith()))
    expect((await call(port, [...authorization, 'dpop', proof()], { method: 'HEAD' })).status).toBe(401)
    const own = await call(port, [...authorization, 'dpop', proof(undefined, 'HEAD')], { method: 'HEAD' })
    expect([own.status, own.headers['x-handler']]).toEqual([200, ['yes']])
  })

  it('[S05] [RFC9449-7.2-3] refuses the token as Bearer, with both challenges', async () => {
    const port = await listen(await adapter(guardWith()))
    const { status, headers } = await call(port, ['authorization', `Bearer ${token}`, 'dpop', proof()])
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toEqual([
      expect.stringMatching(/^Bearer error="invalid_token"/),
      expect.stringMatching(/^DPoP algs=/),
    ])
  })

  it('[S14] [RFC9449-9-1] [RFC9449-8-3] asks for a nonce, takes it, and hands out the next beside what the handler says', async () => {
    const port = await listen(await adapter(guardWith({ nonces: 'required' })))
    const refused = await call(port, [...authorization, 'dpop', proof()])
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toEqual([expect.stringMatching(/^DPoP error="use_dpop_nonce"/)])
    const [nonce, more] = refused.headers['dpop-nonce'] ?? []
    expect(more).toBeUndefined()
    const { status, headers, body } = await call(port, [...authorization, 'dpop', proof(nonce)])
    expect([status, body, headers['x-handler']]).toEqual([200, 'client', ['yes']])
    expect(headers['dpop-nonce']).toHaveLength(1)
    expect(headers['cache-control']).toEqual(['no-store'])
    expect((await call(port, [...authorization, 'dpop', proof(headers['dpop-nonce']?.[0])])).status).toBe(200)
  })

  it('[RFC9449-8-5] leaves CORS to the API, which reaches refusals too', async () => {
    const port = await listen(await adapter(guardWith({ nonces: 'required' })))
    const preflight = await call(port, ['access-control-request-headers', 'authorization, dpop'], { method: 'OPTIONS' })
    expect([preflight.status, preflight.headers['access-control-allow-headers']]).toEqual([
      204,
      ['Authorization, DPoP'],
    ])
    const refused = await call(port, [...authorization, 'dpop', proof()])
    expect(refused.headers['access-control-expose-headers']).toEqual([exposed])
    const nonce = refused.headers['dpop-nonce']?.[0]
    const served = await call(port, [...authorization, 'dpop', proof(nonce)])
    expect(served.headers['access-control-expose-headers']).toEqual([exposed])
  })

  it('does not look at a certificate to which nothing is bound, too long a chain among them', async () => {
    const port = await listen(await adapter(guardWith()))
    const own = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    expect((await call(port, [...authorization, 'dpop', proof()], { pair: own })).status).toBe(200)
    let ca = await createCertificateAuthority({ name: 'CA 1' })
    let chain = ca.certificate
    for (let i = 2; i <= 10; i++) {
      ca = await createCertificateAuthority({ name: `CA ${i}`, issuer: ca })
      chain = ca.certificate + chain
    }
    const leaf = await issueCertificate({ subject: 'client', keyType: 'P-256', issuer: ca })
    const pair = { certificate: leaf.certificate + chain, key: leaf.key }
    expect((await call(port, [...authorization, 'dpop', proof()], { pair })).status).toBe(200)
  })
})
