import { hash, X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { type CertificatePair, createClientCertificate, issueCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  assertion,
  assertionType,
  baseClients,
  basic,
  claimsOf,
  declined,
  type Harness,
  startServer,
} from './harness.ts'

let server: Harness
let certificate: CertificatePair
let now: number
beforeAll(async () => {
  certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  const { x5c: _, ...jwk } = jwkOf(certificate)
  server = await startServer((settings) => ({
    ...settings,
    clients: [
      ...baseClients,
      { client_id: 'signer', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] }, scope: 'api1' },
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [jwkOf(certificate)] },
        scope: 'api1',
      },
    ],
  }))
  now = server.freeze()
})
afterAll(() => server.close())

const bound = () => ({ 'x5t#S256': certificate.thumbprint })
const cnfOf = async (asked: ReturnType<Harness['token']>) => claimsOf((await asked).json.access_token).cnf
const discover = async () =>
  (await server.send({ on: 'public', method: 'GET', path: '/.well-known/oauth-authorization-server', headers: {} }))
    .json
const introspect = async (token: string) =>
  (await server.post('/introspect', { token }, { headers: basic('api1', 'api1-secret') })).json

describe('RFC 8705 §3 certificate-bound access tokens', () => {
  it('[RFC8705-3-1] [RFC8705-3-7] [RFC8705-3.1-1] [T76] binds the token to the certificate of the connection', async () => {
    const answer = await server.token({}, { certificate })
    expect(answer.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'api1' })
    expect(claimsOf(answer.json.access_token).cnf).toEqual(bound())
  })

  it('[T76] issues an unbound token where no certificate arrives and none is required', async () => {
    const answer = await server.token()
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token)).not.toHaveProperty('cnf')
  })

  it('[RFC8705-3.1-2] [RFC8705-3.1-3] writes the SHA-256 of the DER bytes in base64url and nothing else', async () => {
    const cnf = await cnfOf(server.token({}, { certificate }))
    const der = new X509Certificate(certificate.certificate).raw
    expect(cnf).toEqual({ 'x5t#S256': hash('sha256', der, 'base64url') })
    expect(cnf['x5t#S256']).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('[RFC8705-3.2-1] [RFC8705-3-1] says the same in introspection of JWT and reference tokens', async () => {
    for (const client_id of ['client', 'reference']) {
      const { json } = await server.token({ client_id }, { certificate })
      expect((await introspect(json.access_token)).cnf).toEqual(bound())
    }
  })

  it('[RFC8705-3.2-1] says the same in introspection as a JWT', async () => {
    const { json } = await server.token({ client_id: 'reference' }, { certificate })
    const headers = { ...basic('api1', 'api1-secret'), accept: 'application/token-introspection+jwt' }
    const { text } = await server.post('/introspect', { token: json.access_token }, { headers })
    expect(claimsOf(text).token_introspection.cnf).toEqual(bound())
  })

  it('says nothing of it in introspection of an unbound token', async () => {
    const { json } = await server.token({ client_id: 'reference' })
    expect(await introspect(json.access_token)).not.toHaveProperty('cnf')
  })

  it.each([
    ['RSA', 'TLSv1.3'],
    ['P-256', 'TLSv1.2'],
    ['P-384', 'TLSv1.3'],
    ['P-521', 'TLSv1.3'],
    ['Ed25519', 'TLSv1.2'],
    ['Ed25519', 'TLSv1.3'],
    ['ML-DSA-44', 'TLSv1.3'],
    ['ML-DSA-65', 'TLSv1.3'],
    ['ML-DSA-87', 'TLSv1.3'],
  ] as const)('[RFC8705-7.3-1] binds to a certificate with a key of kind %s over %s', async (keyType, version) => {
    const own = await createClientCertificate({ name: 'client', keyType })
    const tls = { minVersion: version, maxVersion: version }
    expect(await cnfOf(server.token({}, { certificate: own, tls }))).toEqual({ 'x5t#S256': own.thumbprint })
  })

  it('[RFC8705-7.3-1] speaks nothing older than TLS 1.2', async () => {
    const tls = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(server.token({}, { certificate, tls })).rejects.toThrow()
  })

  it('binds each connection to its own certificate, many at once', async () => {
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, at) => createClientCertificate({ name: `client ${at}`, keyType: 'P-256' })),
    )
    const asked = Array.from({ length: 64 }, (_, at) =>
      cnfOf(server.token({}, { certificate: others[at % 8] ?? certificate })),
    )
    const wanted = Array.from({ length: 64 }, (_, at) => ({ 'x5t#S256': others[at % 8]?.thumbprint }))
    expect(await Promise.all(asked)).toEqual(wanted)
  })
})

describe('RFC 8705 §3.4 clients that are registered as bound', () => {
  it('get a bound token', async () => {
    expect(await cnfOf(server.token({ client_id: 'bound' }, { certificate }))).toEqual(bound())
  })

  it.each([{ on: 'public' }, { on: 'mutualTls' }] as const)(
    '[RFC8705-3.4-2] [T73] are refused without a certificate %j',
    async (sent) => {
      const refusal = await declined(server, server.token({ client_id: 'bound' }, sent))
      expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'certificate_required' })
    },
  )

  it('need none to introspect and to revoke', async () => {
    const { json } = await server.token({ client_id: 'bound' }, { certificate })
    const form = { client_id: 'bound', client_secret: 'secret', token: json.access_token }
    expect((await server.post('/introspect', form)).json).toMatchObject({ active: true, cnf: bound() })
    expect((await server.post('/revoke', form)).status).toBe(200)
    expect((await server.post('/introspect', form)).json).toEqual({ active: false })
  })
})

describe('RFC 8705 §4 binding for clients that authenticate in another way', () => {
  it('[RFC8705-4-1] binds beside a secret, an assertion, and the certificate itself', async () => {
    const form = { client_secret: undefined, client_assertion_type: assertionType }
    const signed = () => assertion(certificate.key, 'signer', server.issuer)
    expect(await cnfOf(server.token({}, { certificate }))).toEqual(bound())
    expect(
      await cnfOf(server.token({ client_secret: undefined }, { certificate, headers: basic('client', 'secret') })),
    ).toEqual(bound())
    expect(
      await cnfOf(server.token({ ...form, client_id: 'signer', client_assertion: signed() }, { certificate })),
    ).toEqual(bound())
    expect(await cnfOf(server.token({ client_id: 'pinned', client_secret: undefined }, { certificate }))).toEqual(
      bound(),
    )
  })

  it('[RFC8705-4-2] [RFC8705-6.1-2] accepts a certificate that nobody vouches for, whatever it says', async () => {
    const odd = await issueCertificate({ subject: 'anybody', keyType: 'P-256', isCa: true, version: 1 })
    expect(await cnfOf(server.token({}, { certificate: odd }))).toEqual({ 'x5t#S256': odd.thumbprint })
  })

  it('a renewed certificate with the same key is another one', async () => {
    const renewed = await createClientCertificate({ name: 'client', keyType: 'P-256', key: certificate.key })
    expect(await cnfOf(server.token({}, { certificate: renewed }))).not.toEqual(bound())
  })

  it.each([
    ['that ends now', { notAfter: 0 }, undefined],
    ['that has ended', { notAfter: -1 }, 'certificate_expired'],
    ['that begins in five minutes', { notBefore: 300 }, undefined],
    ['that begins later', { notBefore: 301 }, 'certificate_not_yet_valid'],
  ])('a certificate %s', async (_, dates, reason) => {
    const moments = Object.fromEntries(Object.entries(dates).map(([name, value]) => [name, now + value]))
    const own = await issueCertificate({ subject: 'client', keyType: 'P-256', ...moments })
    const asked = server.token({}, { certificate: own })
    if (reason === undefined) expect(await cnfOf(asked)).toEqual({ 'x5t#S256': own.thumbprint })
    else expect(await declined(server, asked)).toMatchObject({ status: 400, error: 'invalid_request', reason })
  })
})

describe('RFC 8705 §5 two listeners', () => {
  it('[RFC8705-3.3-1] [RFC8705-5-1] are advertised', async () => {
    const metadata = await discover()
    expect(metadata.tls_client_certificate_bound_access_tokens).toBe(true)
    const origin = `https://localhost:${server.mutualTlsPort}`
    expect(metadata.mtls_endpoint_aliases).toEqual({
      pushed_authorization_request_endpoint: `${origin}/par`,
      device_authorization_endpoint: `${origin}/device_authorization`,
      token_endpoint: `${origin}/token`,
      userinfo_endpoint: `${origin}/userinfo`,
      introspection_endpoint: `${origin}/introspect`,
      revocation_endpoint: `${origin}/revoke`,
    })
  })

  it('[RFC8705-5-2] every alias works, and has the name of an endpoint at the top level', async () => {
    const metadata = await discover()
    const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', token: 'x' }
    const declining: Readonly<Record<string, number>> = {
      pushed_authorization_request_endpoint: 400,
      device_authorization_endpoint: 400,
      userinfo_endpoint: 401,
    }
    for (const [name, alias] of Object.entries(metadata.mtls_endpoint_aliases)) {
      expect(metadata).toHaveProperty(name)
      const { pathname, port } = new URL(String(alias))
      expect(port).toBe(String(server.mutualTlsPort))
      const expected = [name, declining[name] ?? 200]
      expect([name, (await server.post(pathname, form, { certificate })).status]).toEqual(expected)
      expect([name, (await server.post(pathname, form, { on: 'mutualTls' })).status]).toEqual(expected)
    }
  })

  it('the one for certificates serves nothing else', async () => {
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/jwks'])
      expect((await server.send({ on: 'mutualTls', method: 'GET', path, headers: {} })).status).toBe(404)
  })

  it('[RFC8705-5-6] the one for browsers never asks for a certificate, and binds to none', async () => {
    expect(await asksForCertificate(server.publicPort)).toBe(false)
    expect(await cnfOf(server.token({}, { on: 'public', certificate }))).toBeUndefined()
  })

  it('[RFC8705-6.1-1] the one for certificates asks, and goes on without one', async () => {
    expect(await asksForCertificate(server.mutualTlsPort)).toBe(true)
    const answer = await server.token({}, { on: 'mutualTls' })
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token)).not.toHaveProperty('cnf')
  })

  it('[RFC8705-6.1-3] a certificate in a header binds nothing, beside another one in the handshake neither', async () => {
    const victim = await createClientCertificate({ name: 'victim', keyType: 'P-256' })
    const der = new X509Certificate(victim.certificate).raw.toString('base64')
    const headers = {
      'client-cert': `:${der}:`,
      'x-ssl-cert': encodeURIComponent(victim.certificate),
      'x-forwarded-client-cert': `Hash=00;Cert="${encodeURIComponent(victim.certificate)}"`,
    }
    expect(await cnfOf(server.token({}, { on: 'mutualTls', headers }))).toBeUndefined()
    expect(await cnfOf(server.token({}, { certificate, headers }))).toEqual(bound())
  })
})

describe('decisions 1.2 which certificate counts', () => {
  let silent: Harness
  beforeAll(async () => {
    silent = await startServer((settings) => ({
      ...settings,
      mutualTls: {},
      clients: [
        ...baseClients,
        {
          client_id: 'pinned',
          token_endpoint_auth_method: 'self_signed_tls_client_auth',
          jwks: { keys: [jwkOf(certificate)] },
          scope: 'api1',
        },
      ],
    }))
  })
  afterAll(() => silent.close())

  it('one of a client that is registered as bound, or that authenticates with it', async () => {
    for (const form of [{ client_id: 'bound' }, { client_id: 'pinned', client_secret: undefined }])
      expect(await cnfOf(silent.token(form, { certificate }))).toEqual(bound())
  })

  it('none of any other client, where the server does not bind everybody: it is not even judged', async () => {
    const expired = await issueCertificate({ subject: 'client', keyType: 'P-256', notAfter: now - 60 })
    for (const own of [certificate, expired]) {
      const answer = await silent.token({}, { certificate: own })
      expect(answer.status).toBe(200)
      expect(claimsOf(answer.json.access_token)).not.toHaveProperty('cnf')
    }
    const refusal = await declined(silent, silent.token({ client_id: 'bound' }, { certificate: expired }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'certificate_expired' })
  })

  it('[RFC8705-3.4-2] and a registration as bound holds there too', async () => {
    const refusal = await declined(silent, silent.token({ client_id: 'bound' }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'certificate_required' })
  })
})

describe('the layout of one listener', () => {
  let single: Harness
  beforeAll(async () => {
    single = await startServer(({ listen, ...settings }) => ({
      ...settings,
      layout: 'single',
      listen: { public: listen.public },
    }))
  })
  afterAll(() => single.close())

  it('asks everybody, binds who brings a certificate, and advertises aliases that are the endpoints', async () => {
    expect(await cnfOf(single.token({}, { on: 'public', certificate }))).toEqual(bound())
    expect(await cnfOf(single.token({}, { on: 'public' }))).toBeUndefined()
    const path = '/.well-known/oauth-authorization-server'
    const { json } = await single.send({ on: 'public', method: 'GET', path, headers: {} })
    expect(json.mtls_endpoint_aliases.token_endpoint).toBe(json.token_endpoint)
    expect(json.token_endpoint).toBe(`${single.issuer}/token`)
  })
})

/** Whether the server sends a CertificateRequest: an agent that is asked looks for its certificate. */
function asksForCertificate(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const { certificate: cert, key } = certificate
    const socket = connect({
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      ca: server.ca,
      cert,
      key,
      maxVersion: 'TLSv1.2',
    })
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      const asked = socket.getSharedSigalgs().length > 0
      socket.destroy()
      resolve(asked)
    })
  })
}

function jwkOf(pair: CertificatePair) {
  const x509 = new X509Certificate(pair.certificate)
  return { kty: '', ...x509.publicKey.export({ format: 'jwk' }), x5c: [x509.raw.toString('base64')] }
}
