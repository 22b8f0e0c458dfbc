import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from '@holdfast/pop/certificates'
import { importPKCS8 } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, baseClients, claimsOf, type Harness, startServer } from './harness.ts'

/** One way of client authentication, as each of the two clients writes it. */
interface Way {
  readonly method: string
  readonly clientId: string
  readonly certificate: CertificatePair
  readonly openid: openid.ClientAuth
  readonly oauth: oauth.ClientAuth
}

let server: Harness
let ways: readonly Way[]
const agents: Agent[] = []

beforeAll(async () => {
  const assertion = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const authority = await createCertificateAuthority({ name: 'Partners', keyType: 'P-256' })
  const own = await createClientCertificate({ name: 'on the fly', keyType: 'P-256' })
  const mtls = await issueCertificate({
    subject: 'mtls',
    issuer: authority,
    keyType: 'P-256',
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['clientAuth'],
  })
  const pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })
  server = await startServer((settings) => ({
    ...settings,
    mutualTls: { alwaysEmitConfirmationClaim: true, trustGroups: { partners: { ca: authority.certificate } } },
    clients: [
      ...baseClients,
      {
        client_id: 'assertion',
        token_endpoint_auth_method: 'private_key_jwt',
        scope: 'api1',
        jwks: { keys: [{ ...assertion.publicKey.export({ format: 'jwk' }), kty: 'EC' }] },
      },
      {
        client_id: 'mtls',
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: 'CN=mtls',
        trust_group: 'partners',
        scope: 'api1',
      },
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        scope: 'api1',
        jwks: { keys: [registered(pinned)] },
      },
    ],
  }))
  const pem = assertion.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const key = await importPKCS8(pem, 'ES256')
  ways = [
    {
      method: 'client_secret_basic',
      clientId: 'client',
      certificate: own,
      openid: openid.ClientSecretBasic('secret'),
      oauth: oauth.ClientSecretBasic('secret'),
    },
    {
      method: 'client_secret_post',
      clientId: 'client',
      certificate: own,
      openid: openid.ClientSecretPost('secret'),
      oauth: oauth.ClientSecretPost('secret'),
    },
    {
      method: 'private_key_jwt',
      clientId: 'assertion',
      certificate: own,
      openid: openid.PrivateKeyJwt(key),
      oauth: oauth.PrivateKeyJwt(key),
    },
    {
      method: 'tls_client_auth',
      clientId: 'mtls',
      certificate: mtls,
      openid: openid.TlsClientAuth(),
      oauth: oauth.TlsClientAuth(),
    },
    {
      method: 'self_signed_tls_client_auth',
      clientId: 'pinned',
      certificate: pinned,
      openid: openid.TlsClientAuth(),
      oauth: oauth.TlsClientAuth(),
    },
  ]
})
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()))
  await server.close()
})

const methods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
]

describe('openid-client, unmodified', () => {
  it.each(methods)('gets a bound token at the mTLS alias by %s', async (method) => {
    const { clientId, certificate, openid: authentication } = wayOf(method)
    const config = await openid.discovery(
      new URL(server.issuer),
      clientId,
      { use_mtls_endpoint_aliases: true },
      authentication,
      { [openid.customFetch]: fetchWith(certificate) },
    )
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1', resource: api })
    expect(tokens.token_type).toBe('bearer')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect(await openid.tokenIntrospection(config, tokens.access_token)).toMatchObject({
      active: true,
      client_id: clientId,
    })
    await openid.tokenRevocation(config, tokens.access_token)
    expect(await openid.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false })
  })

  it('gets the refusal of a public client in words', async () => {
    const config = await openid.discovery(new URL(server.issuer), 'public', {}, openid.None(), {
      [openid.customFetch]: fetchWith(),
    })
    await expect(openid.clientCredentialsGrant(config, { scope: 'api1' })).rejects.toMatchObject({
      error: 'unauthorized_client',
    })
  })
})

describe('oauth4webapi, unmodified', () => {
  it.each(methods)('gets a bound token at the mTLS alias by %s', async (method) => {
    const { clientId, certificate, oauth: authentication } = wayOf(method)
    const options = { [oauth.customFetch]: fetchWith(certificate) }
    const issuer = new URL(server.issuer)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    const metadata = await oauth.processDiscoveryResponse(issuer, found)
    const client = { client_id: clientId, use_mtls_endpoint_aliases: true }
    const parameters = new URLSearchParams({ scope: 'api1' })
    const answer = await oauth.clientCredentialsGrantRequest(metadata, client, authentication, parameters, options)
    const tokens = await oauth.processClientCredentialsResponse(metadata, client, answer)
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('gets the introspection of a reference token, signed, with its cnf', async () => {
    const { certificate } = wayOf('client_secret_basic')
    const { json } = await server.token({ client_id: 'reference' }, { certificate })
    const options = { [oauth.customFetch]: fetchWith(), requestJwtResponse: true }
    const issuer = new URL(server.issuer)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    const metadata = await oauth.processDiscoveryResponse(issuer, found)
    const client = { client_id: 'api1', introspection_signed_response_alg: 'ES256' }
    const answer = await oauth.introspectionRequest(
      metadata,
      client,
      oauth.ClientSecretBasic('api1-secret'),
      json.access_token,
      options,
    )
    expect(answer.headers.get('content-type')).toContain('application/token-introspection+jwt')
    const introspection = await oauth.processIntrospectionResponse(metadata, client, answer)
    expect(introspection).toMatchObject({
      active: true,
      client_id: 'reference',
      cnf: { 'x5t#S256': certificate.thumbprint },
    })
  })
})

function wayOf(method: string): Way {
  const way = ways.find((each) => each.method === method)
  if (!way) throw new Error(`no client authenticates by ${method}`)
  return way
}

function registered({ certificate }: CertificatePair): { kty: string; x5c: string[] } {
  const { raw, publicKey } = new X509Certificate(certificate)
  return { ...publicKey.export({ format: 'jwk' }), kty: 'EC', x5c: [raw.toString('base64')] }
}

/** A fetch that trusts the harness and shows the certificate: all that these clients need from their user. */
function fetchWith(certificate?: CertificatePair): (url: string, options: object) => Promise<Response> {
  const agent = new Agent({
    connect: { ca: server.ca, ...(certificate && { cert: certificate.certificate, key: certificate.key }) },
  })
  agents.push(agent)
  // as: undici's Response is the one of the platform
  return (url, options) => undiciFetch(url, { ...options, dispatcher: agent }) as unknown as Promise<Response>
}
