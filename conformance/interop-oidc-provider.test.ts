import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { createClient, createClientCertificate, type NodeClient } from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import Provider from 'oidc-provider'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, freePort } from './harness.ts'

const scope = 'api1'
let authority: CertificatePair
let issuer: string
let api: string
const servers: Server[] = []
const clients: NodeClient[] = []

beforeAll(async () => {
  authority = await createCertificateAuthority({ name: 'Harness', keyType: 'P-256' })
  const { certificate: cert, key } = await issueCertificate({
    subject: 'localhost',
    issuer: authority,
    keyType: 'P-256',
    dns: ['localhost'],
  })
  const tls = { ...clientCertificateTlsOptions, cert, key }
  const ports = [await freePort(), await freePort()]
  issuer = `https://localhost:${ports[0]}`
  api = `https://localhost:${ports[1]}`

  const agent = new Agent({ connect: { ca: authority.certificate } })
  const fetchKeys = ((url: string, options: object) =>
    undiciFetch(url, { ...options, dispatcher: agent })) as unknown as typeof fetch
  const guard = createGuard({ issuer, identifier: api }, { fetch: fetchKeys })
  const provider = createProvider()
  servers.push(
    createServer(tls, provider.callback()).listen(ports[0], '127.0.0.1'),
    createServer(
      tls,
      protect(guard, (_, response, { token }) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(token.claims))
      }),
    ).listen(ports[1], '127.0.0.1'),
  )
  await Promise.all(servers.map((server) => once(server, 'listening')))
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

describe('oidc-provider as the issuer', () => {
  it('[RFC8705-3] gives our client a token that is bound to the certificate made on the fly', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const { access_token } = await clientOf(certificate).token()
    expect(claimsOf(access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('has its token admitted by our guard with that certificate', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await clientOf(certificate).fetch(`${api}/`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ iss: issuer, aud: api, client_id: 'client' })
  })

  it('has its token refused by our guard with another certificate of the same name', async () => {
    const token = await clientOf(await createClientCertificate({ name: 'client', keyType: 'P-256' })).token()
    const thief = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const agent = new Agent({ connect: { ca: authority.certificate, cert: thief.certificate, key: thief.key } })
    const answer = await undiciFetch(`${api}/`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token.access_token}` },
    })
    await agent.close()
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })
})

function clientOf(certificate: CertificatePair): NodeClient {
  const client = createClient({
    issuer,
    client_id: 'client',
    client_secret: 'secret-of-the-client',
    scope,
    resource: api,
    certificate,
    ca: authority.certificate,
  })
  clients.push(client)
  return client
}

function createProvider() {
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'client',
        client_secret: 'secret-of-the-client',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: 'ES256',
        tls_client_certificate_bound_access_tokens: true,
      },
    ],
    jwks: { keys: [{ ...signing, kty: 'EC', alg: 'ES256', use: 'sig' }] },
    scopes: [scope],
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate: certificateOf },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope,
          audience: api,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
}

function certificateOf({
  socket,
}: {
  socket: Socket & { getPeerX509Certificate?(): { toString(): string } | undefined }
}) {
  return socket.getPeerX509Certificate?.()?.toString()
}
