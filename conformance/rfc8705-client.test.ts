import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
  thumbprintOf,
} from '@holdfast/pop/certificates'
import { createClient, MutualTls, selfSignedTlsClientAuth, tlsClientAuth } from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, baseClients, type Harness, startServer } from './harness.ts'

let server: Harness
let outgoing: MutualTls
let vouched: CertificatePair
let guarded: Server

beforeAll(async () => {
  const root = await createCertificateAuthority({ name: 'Root' })
  vouched = await issueCertificate({ subject: 'mtls', issuer: root, keyType: 'P-256', dns: ['mtls.test'] })
  server = await startServer((settings) => ({
    ...settings,
    mutualTls: { ...settings.mutualTls, trustGroups: { main: { ca: root.certificate } } },
    clients: [
      ...baseClients,
      {
        client_id: 'mtls',
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'mtls.test',
        trust_group: 'main',
        scope: 'api1',
      },
    ],
  }))
  outgoing = new MutualTls({ ca: server.ca })
  const guard = createGuard(
    { issuer: server.issuer, identifier: api },
    { fetch: outgoing.fetch, report: () => undefined },
  )
  guarded = await listen(
    protect(guard, (request: IncomingMessage, response: ServerResponse, { token }) => {
      // as: every connection of an https server is a TLS one.
      response.setHeader('x-protocol', String((request.socket as TLSSocket).getProtocol()))
      response.end(JSON.stringify(token.confirmation))
    }),
  )
})
afterAll(async () => {
  await close(guarded)
  await outgoing.close()
  await server.close()
})

describe('RFC 8705 a client', () => {
  it('[RFC8705-2-2] names itself where its certificate authenticates it', async () => {
    const { issuer, ca } = server
    const options = { issuer, client_id: 'mtls', authentication: tlsClientAuth(), certificate: vouched, ca }
    await using client = createClient(options)
    expect(await client.token()).toMatchObject({ confirmation: { 'x5t#S256': vouched.thumbprint } })
  })

  it('[RFC8705-3-2] [RFC8705-5-3] gets the token at the alias and uses it over the same certificate', async () => {
    await using client = createClient({ ...secretClient(), ca: server.ca })
    const response = await client.fetch(`https://localhost:${portOf(guarded)}/`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ 'x5t#S256': (await client.certificate())?.thumbprint })
  })

  it('[RFC8705-8-1] offers TLS 1.3, which hides its certificate', async () => {
    await using client = createClient({ ...secretClient(), ca: server.ca })
    const response = await client.fetch(`https://localhost:${portOf(guarded)}/`)
    expect(response.headers.get('x-protocol')).toBe('TLSv1.3')
  })

  it('[RFC8705-6.3-1] asks for a new token when its certificate changes', async () => {
    await using client = createClient({ ...secretClient(), ca: server.ca })
    const address = `https://localhost:${portOf(guarded)}/`
    const first = await (await client.fetch(address)).json()
    const next = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    await client.useCertificate(next)
    const second = await client.fetch(address)
    expect(second.status).toBe(200)
    expect(await second.json()).toEqual({ 'x5t#S256': next.thumbprint })
    expect(first).not.toEqual({ 'x5t#S256': next.thumbprint })
  })

  it.each([
    ['[RFC8705-5-3]', 'the alias', { token_endpoint: '/mtls/token' }, '/mtls/token'],
    ['[RFC8705-5-4]', 'the ordinary endpoint, without aliases', undefined, '/token'],
    [
      '[RFC8705-5-4]',
      'the ordinary endpoint, where only others have one',
      { revocation_endpoint: '/mtls/revoke' },
      '/token',
    ],
    [
      '[RFC8705-5-5]',
      'the alias, beside ones that mean nothing',
      { token_endpoint: '/mtls/token', jwks_uri: '/x', y: 1 },
      '/mtls/token',
    ],
  ])('%s asks for its token at %s', async (_, __, aliases, path) => {
    const asked: string[] = []
    const stub = await listen((request, response) => {
      const origin = `https://localhost:${portOf(stub)}`
      const absolute = (value: unknown) => (typeof value === 'string' ? `${origin}${value}` : value)
      if (request.method === 'GET') {
        const entries = Object.entries(aliases ?? {}).map(([name, value]) => [name, absolute(value)])
        const listed = aliases && { mtls_endpoint_aliases: Object.fromEntries(entries) }
        response.end(JSON.stringify({ issuer: origin, token_endpoint: `${origin}/token`, ...listed }))
        return
      }
      asked.push(request.url ?? '')
      // as: every connection of an https server is a TLS one.
      const presented = (request.socket as TLSSocket).getPeerX509Certificate()
      const cnf = { 'x5t#S256': presented && thumbprintOf(presented.raw) }
      const token = ['{"alg":"ES256"}', JSON.stringify({ cnf }), 'x'].map((part) =>
        Buffer.from(part).toString('base64url'),
      )
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ access_token: token.join('.'), token_type: 'Bearer', expires_in: 60 }))
    })
    const issuer = `https://localhost:${portOf(stub)}`
    const own = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const client = createClient({
      issuer,
      client_id: 'x',
      authentication: selfSignedTlsClientAuth(),
      certificate: own,
      ca: server.ca,
    })
    await client.token()
    await client.close()
    await close(stub)
    expect(asked).toEqual([path])
  })
})

function secretClient() {
  return { issuer: server.issuer, client_id: 'client', client_secret: 'secret', scope: 'api1' }
}

async function listen(handle: Parameters<typeof createServer>[1] & object): Promise<Server> {
  const { certificate: cert = '', key = '' } = server.settings.listen.public
  const listening = createServer({ ...clientCertificateTlsOptions, cert, key }, handle)
  await new Promise<void>((resolve) => listening.listen(0, 'localhost', resolve))
  return listening
}

function close(listening: Server): Promise<unknown> {
  return new Promise((resolve) => listening.close(resolve))
}

function portOf(listening: Server): number {
  // as: a TCP server that listens has an address of this kind.
  return (listening.address() as AddressInfo).port
}
