import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  derOf,
  issueCertificate,
  pemOf,
} from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect, tlsOptions } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { api, baseClients, claimsOf, declined, type Harness, type Sent, startServer } from './harness.ts'

const kinds = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const
type Kind = (typeof kinds)[number]
type Pair = Pick<CertificatePair, 'certificate' | 'key'>

/** Everything of one kind of key: a CA, a client that it vouches for, one that vouches for itself. */
interface Family {
  readonly root: CertificatePair
  readonly vouched: CertificatePair
  readonly pinned: CertificatePair
}

const families = new Map<Kind, Family>()
const family = (kind: Kind): Family => families.get(kind) ?? expect.fail('no family')
const usual = { keyUsage: ['digitalSignature'], extendedKeyUsage: ['clientAuth'], dns: ['good.test'] } as const

let server: Harness
let guarded: Server
let outgoing: MutualTls
const reports: { readonly reason?: string }[] = []

beforeAll(async () => {
  for (const keyType of kinds) {
    const root = await createCertificateAuthority({ name: 'Root', keyType })
    families.set(keyType, {
      root,
      vouched: await issueCertificate({ ...usual, subject: 'vouched', keyType, issuer: root }),
      pinned: await createClientCertificate({ name: 'pinned', keyType }),
    })
  }
  server = await startServer((settings) => ({
    ...settings,
    mutualTls: {
      alwaysEmitConfirmationClaim: true,
      trustGroups: Object.fromEntries(kinds.map((kind) => [kind, { ca: family(kind).root.certificate }])),
    },
    clients: [
      ...baseClients,
      ...kinds.flatMap((kind) => [
        {
          client_id: `vouched-${kind}`,
          token_endpoint_auth_method: 'tls_client_auth' as const,
          tls_client_auth_san_dns: 'good.test',
          trust_group: kind,
          scope: 'api1',
        },
        {
          client_id: `pinned-${kind}`,
          token_endpoint_auth_method: 'self_signed_tls_client_auth' as const,
          jwks: jwksOf(family(kind).pinned),
          scope: 'api1',
        },
      ]),
    ],
  }))
  outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
  const guard = createGuard(
    { issuer: server.issuer, identifier: api },
    { fetch: outgoing.fetch, report: (each) => reports.push(each) },
  )
  const { certificate: cert = '', key = '' } = server.settings.listen.public
  guarded = createServer(
    { ...clientCertificateTlsOptions, cert, key },
    protect(guard, (_, response) => response.end('{}')),
  )
  await listening(guarded)
})
afterAll(async () => {
  await new Promise((resolve) => guarded.close(resolve))
  await outgoing.close()
  await server.close()
})

const bySelf = (client_id: string, certificate: Pair | undefined, sent: Partial<Sent> = {}) =>
  server.token(
    { client_id, client_secret: undefined },
    { on: 'mutualTls', ...(certificate && { certificate }), ...sent },
  )
const call = (token: string, certificate?: Pair) =>
  server.send({
    on: portOf(guarded),
    method: 'GET',
    path: '/orders',
    headers: { authorization: `Bearer ${token}` },
    ...(certificate && { certificate }),
  })

describe.each(kinds)('client certificates with a key of %s', (keyType) => {
  const make = () => createClientCertificate({ name: 'client', keyType })

  it('[RFC8705-3-1] [RFC8705-3-4] bind a token that the API takes with them', async () => {
    const holder = await make()
    const { json } = await server.token({}, { certificate: holder })
    expect(claimsOf(json.access_token).cnf).toEqual({ 'x5t#S256': holder.thumbprint })
    expect((await call(json.access_token, holder)).status).toBe(200)
  })

  it('[RFC8705-3-5] bind a token that the API refuses with another one, or none', async () => {
    const { json } = await server.token({}, { certificate: await make() })
    expect((await call(json.access_token, await make())).status).toBe(401)
    expect(reports.at(-1)).toMatchObject({ reason: 'confirmation_certificate_differs' })
    expect((await call(json.access_token)).status).toBe(401)
    expect(reports.at(-1)).toMatchObject({ reason: 'confirmation_certificate_missing' })
  })

  it('[RFC8705-2.1-1] authenticate a client under a CA of the same kind', async () => {
    const answer = await bySelf(`vouched-${keyType}`, family(keyType).vouched)
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': family(keyType).vouched.thumbprint })
  })

  it('[RFC8705-2.1-1] authenticate nobody under another CA of that name', async () => {
    const twin = await createCertificateAuthority({ name: 'Root', keyType })
    const forged = await issueCertificate({ ...usual, subject: 'vouched', keyType, issuer: twin })
    const refusal = await declined(server, bySelf(`vouched-${keyType}`, forged))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_path' })
  })

  it('[RFC8705-2.1-1] authenticate nobody with another bit in the signature of the CA', async () => {
    const { certificate, key } = family(keyType).vouched
    const der = derOf(certificate)
    const at = der.length - 1000
    der[at] = (der[at] ?? 0) ^ 1
    const refusal = await declined(server, bySelf(`vouched-${keyType}`, { certificate: pemOf(der), key }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_path' })
  })

  it('[RFC8705-2.2-1] authenticate a client that registered them', async () => {
    expect((await bySelf(`pinned-${keyType}`, family(keyType).pinned)).status).toBe(200)
    const refusal = await declined(server, bySelf(`pinned-${keyType}`, await make()))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client' })
  })

  it('do not come over TLS 1.2, which is refused as if there were none', async () => {
    const tls = { maxVersion: 'TLSv1.2' } as const
    const refusal = await declined(server, server.token({ client_id: 'bound' }, { certificate: await make(), tls }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'certificate_required' })
    const unknown = await declined(server, bySelf(`pinned-${keyType}`, family(keyType).pinned, { tls }))
    expect(unknown).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_missing' })
  })
})

describe('the key exchange', () => {
  const listeners = {
    public: () => server.publicPort,
    'mutual TLS': () => server.mutualTlsPort,
    API: () => portOf(guarded),
  }
  const names = Object.keys(listeners) as (keyof typeof listeners)[]

  it.each(names)('of the %s listener is X25519MLKEM768 for a client that leaves the choice', async (name) => {
    expect(await groupOf(listeners[name]())).toBe('X25519MLKEM768')
  })

  it.each(names)('of the %s listener is X25519MLKEM768 for a client that has nothing else', async (name) => {
    expect(await groupOf(listeners[name](), { ecdhCurve: 'X25519MLKEM768' })).toBe('X25519MLKEM768')
  })

  it.each(names)('of the %s listener is an older one for a client that has no other', async (name) => {
    expect(await groupOf(listeners[name](), { ecdhCurve: 'X25519' })).toBe('X25519')
    expect(await groupOf(listeners[name](), { ecdhCurve: 'P-256' })).toBe('prime256v1')
    expect(await groupOf(listeners[name](), { ecdhCurve: 'P-256', maxVersion: 'TLSv1.2' })).toBe('prime256v1')
  })
})

describe('server certificates with an ML-DSA key', () => {
  it.each(kinds)('of %s work over TLS 1.3, and not over TLS 1.2', async (keyType) => {
    const { certificate: cert, key } = await issueCertificate({
      subject: 'localhost',
      keyType,
      dns: ['localhost'],
      extendedKeyUsage: ['serverAuth'],
    })
    for (const options of [tlsOptions, clientCertificateTlsOptions]) {
      const own = createServer({ ...options, cert, key })
      onTestFinished(() => void own.close())
      await listening(own)
      expect(await groupOf(portOf(own), { ca: cert })).toBe('X25519MLKEM768')
      await expect(groupOf(portOf(own), { ca: cert, maxVersion: 'TLSv1.2' })).rejects.toThrow()
    }
  })
})

/** Shakes hands, and names the group in which the keys were exchanged. */
async function groupOf(port: number, options: ConnectionOptions = {}): Promise<string | undefined> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const connecting = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: server.ca, ...options })
    connecting.once('secureConnect', () => resolve(connecting)).once('error', reject)
  })
  const info = socket.getEphemeralKeyInfo()
  socket.destroy()
  return info && 'name' in info ? info.name : undefined
}

function listening(one: Server): Promise<void> {
  return new Promise((resolve) => one.listen(0, '127.0.0.1', resolve))
}

function portOf(one: Server): number {
  // as: a TCP server that listens has an address of this kind.
  return (one.address() as AddressInfo).port
}

function jwksOf({ certificate }: Pair) {
  const x509 = new X509Certificate(certificate)
  return { keys: [{ kty: '', ...x509.publicKey.export({ format: 'jwk' }), x5c: [x509.raw.toString('base64')] }] }
}
