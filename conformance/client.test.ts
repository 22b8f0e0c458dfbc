import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { CertificatePair } from '@holdfast/pop/certificates'
import {
  createClient,
  createClientCertificate,
  MutualTls,
  type NodeClient,
  type NodeClientOptions,
  privateKeyJwt,
  selfSignedTlsClientAuth,
} from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import { exportJWK, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, type Harness, api as identifier, startServer } from './harness.ts'

interface Api {
  readonly origin: string
  readonly close: () => Promise<void>
}

let pinned: CertificatePair
let server: Harness
let api: Api
let signing: Awaited<ReturnType<typeof generateKeyPair>>

beforeAll(async () => {
  pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })
  signing = await generateKeyPair('ES256')
  const x509 = new X509Certificate(pinned.certificate)
  const certified = { ...x509.publicKey.export({ format: 'jwk' }), kty: 'EC', x5c: [x509.raw.toString('base64')] }
  const assertionKey = { ...(await exportJWK(signing.publicKey)), kty: 'EC', alg: 'ES256', kid: 'k1' }
  server = await startServer((settings) => ({
    ...settings,
    clients: [
      ...(settings.clients ?? []),
      {
        client_id: 'assertion',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [assertionKey] },
        scope: 'api1',
      },
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [certified] },
        scope: 'api1',
      },
    ],
  }))
  api = await startApi()
})

afterAll(async () => {
  await api.close()
  await server.close()
})

describe('the seed page, with our client, our server and our guard', () => {
  it('[RFC8705-3-2] binds the token to a certificate made on the fly, and the API takes it over that certificate', async () => {
    await using client = clientOf({ client_id: 'client', client_secret: 'secret' })
    const { access_token, confirmation } = await client.token()
    const certificate = await client.certificate()
    expect(confirmation).toEqual({ 'x5t#S256': certificate?.thumbprint })
    expect(claimsOf(access_token).cnf).toEqual(confirmation)
    const response = await client.fetch(`${api.origin}/identity`)
    expect([response.status, await response.json()]).toEqual([200, { client: 'client', cnf: confirmation }])
  })

  it('the API refuses the token from anybody else', async () => {
    await using client = clientOf({ client_id: 'client', client_secret: 'secret' })
    const { access_token } = await client.token()
    for (const certificate of [undefined, pinned]) {
      const thief = new MutualTls({ certificate, ca: server.ca })
      const headers = { authorization: `Bearer ${access_token}` }
      const response = await thief.fetch(`${api.origin}/identity`, { headers })
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ])
      await thief.close()
    }
  })

  it('works the same with a reference token', async () => {
    await using client = clientOf({ client_id: 'reference', client_secret: 'secret' })
    const response = await client.fetch(`${api.origin}/identity`)
    const thumbprint = (await client.certificate())?.thumbprint
    expect([response.status, await response.json()]).toEqual([
      200,
      { client: 'reference', cnf: { 'x5t#S256': thumbprint } },
    ])
    expect(await client.introspect(await client.token())).toMatchObject({
      active: true,
      cnf: { 'x5t#S256': thumbprint },
    })
  })
})

describe('each way to authenticate', () => {
  it.each<[string, () => Partial<NodeClientOptions>]>([
    ['assertion', () => ({ authentication: privateKeyJwt({ key: signing.privateKey, alg: 'ES256', kid: 'k1' }) })],
    ['pinned', () => ({ authentication: selfSignedTlsClientAuth(), certificate: pinned })],
  ])('%s', async (client_id, options) => {
    await using client = clientOf({ client_id, ...options() })
    expect((await client.fetch(`${api.origin}/identity`)).status).toBe(200)
  })

  it('a wrong secret is told as request_refused', async () => {
    await using client = clientOf({ client_id: 'client', client_secret: 'wrong' })
    await expect(client.token()).rejects.toMatchObject({
      reason: 'request_refused',
      status: 401,
      error: 'invalid_client',
    })
  })
})

describe('what happens meanwhile', () => {
  it('a restart of the server and of the API is survived', async () => {
    await using client = clientOf({ client_id: 'client', client_secret: 'secret' })
    expect((await client.fetch(`${api.origin}/identity`)).status).toBe(200)
    await server.restart()
    await api.close()
    api = await startApi(Number(new URL(api.origin).port))
    expect((await client.fetch(`${api.origin}/identity`)).status).toBe(200)
    expect((await client.token({ scope: undefined })).access_token).not.toBe((await client.token()).access_token)
  })

  it('a token that was revoked is replaced by the next call', async () => {
    await using client = clientOf({ client_id: 'reference', client_secret: 'secret' })
    await using other = clientOf({ client_id: 'reference', client_secret: 'secret' })
    const { access_token } = await client.token()
    await other.revoke(access_token)
    expect((await client.fetch(`${api.origin}/identity`)).status).toBe(200)
    expect((await client.token()).access_token).not.toBe(access_token)
  })

  it('[C18] another certificate brings another token, and the API takes both while calls run', async () => {
    await using client = clientOf({ client_id: 'client', client_secret: 'secret' })
    await client.token()
    const call = async () => (await client.fetch(`${api.origin}/identity`)).status
    const calls = Array.from({ length: 20 }, call)
    await new Promise((resolve) => setTimeout(resolve, 5))
    calls.push(client.useCertificate(pinned).then(call), ...Array.from({ length: 20 }, call))
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]))
    expect((await client.token()).confirmation).toEqual({ 'x5t#S256': pinned.thumbprint })
  })
})

function clientOf(options: Partial<NodeClientOptions> & { readonly client_id: string }): NodeClient {
  return createClient({ issuer: server.issuer, scope: 'api1', ca: server.ca, ...options })
}

async function startApi(port = 0): Promise<Api> {
  const { publicPort } = server
  const authority = new MutualTls({ ca: server.ca })
  const pair = server.settings.listen.public
  const tls = { ...clientCertificateTlsOptions, cert: String(pair.certificate), key: String(pair.key) }
  const listener = createServer(tls)
  await new Promise<void>((resolve) => listener.listen(port, 'localhost', resolve))
  const origin = `https://localhost:${(listener.address() as AddressInfo).port}`
  const introspection = { client_id: 'api1', client_secret: 'api1-secret', cache: 0 }
  const guard = createGuard(
    { issuer: `https://localhost:${publicPort}`, identifier, origin, introspection },
    { fetch: authority.fetch },
  )
  const handler = protect(guard, (_request, response, { token }) => {
    response.end(JSON.stringify({ client: token.clientId, cnf: token.confirmation }))
  })
  listener.on('request', handler)
  const close = async () => {
    const closed = new Promise((resolve) => listener.close(resolve))
    listener.closeAllConnections()
    await Promise.all([closed, authority.close()])
  }
  return { origin, close }
}
