import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import {
  type CertificatePair,
  createClientCertificate,
  issueCertificate,
  thumbprintOf,
} from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, type Harness, type Sent, startServer } from './harness.ts'

let server: Harness
let outgoing: MutualTls
let holder: CertificatePair
let thief: CertificatePair
let guarded: Server
let now = () => Math.floor(Date.now() / 1000)
const reports: { readonly reason?: string }[] = []

beforeAll(async () => {
  server = await startServer()
  outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
  holder = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  thief = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  const introspection = { client_id: 'api1', client_secret: 'api1-secret', cache: 0 }
  const guard = createGuard(
    { issuer: server.issuer, identifier: api, introspection },
    { fetch: outgoing.fetch, now: () => now(), report: (each) => reports.push(each) },
  )
  const { certificate: cert = '', key = '' } = server.settings.listen.public
  guarded = createServer(
    { ...clientCertificateTlsOptions, cert, key },
    protect(guard, (_, response, { token }) => response.end(JSON.stringify(token.confirmation))),
  )
  await new Promise<void>((resolve) => guarded.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await new Promise((resolve) => guarded.close(resolve))
  await outgoing.close()
  await server.close()
})

function portOf(listening: Server): number {
  // as: a TCP server that listens has an address of this kind.
  return (listening.address() as AddressInfo).port
}

/** Calls the API with a token. */
function call(token: string, sent: Partial<Sent> = {}) {
  const headers = { authorization: `Bearer ${token}`, ...sent.headers }
  return server.send({ on: portOf(guarded), method: 'GET', path: '/identity', ...sent, headers })
}

async function expectRefused(token: string, sent: Partial<Sent>, reason: string) {
  const answer = await call(token, sent)
  expect(answer.status).toBe(401)
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/)
  expect(answer.text).not.toContain(token)
  expect(reports.at(-1)).toMatchObject({ event: 'refused', reason })
  expect((await call(await tokenOf('client'), { certificate: holder })).status, 'still serves').toBe(200)
}

async function tokenOf(client_id: string, certificate: CertificatePair | undefined = holder): Promise<string> {
  return (await server.token({ client_id }, certificate && { certificate })).json.access_token
}

describe.each(['client', 'reference'])('RFC 8705 §3 an API, with a token of %s', (client) => {
  it('[RFC8705-3-4] [RFC8705-3.2-2] [RFC8705-6.2-1] admits the holder of the certificate, whoever made it', async () => {
    const answer = await call(await tokenOf(client), { certificate: holder })
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({ 'x5t#S256': holder.thumbprint })
  })

  it('[RFC8705-3-5] [RFC8705-3.2-2] [S15] refuses without a certificate', async () => {
    await expectRefused(await tokenOf(client), {}, 'confirmation_certificate_missing')
  })

  it('[RFC8705-3-5] [RFC8705-3.2-2] [S16] refuses another certificate, with the same name', async () => {
    await expectRefused(await tokenOf(client), { certificate: thief }, 'confirmation_certificate_differs')
  })

  it('[RFC8705-3-5] [S16] refuses a renewed certificate with the same key', async () => {
    const renewed = await createClientCertificate({ name: 'client', keyType: 'P-256', key: holder.key })
    await expectRefused(await tokenOf(client), { certificate: renewed }, 'confirmation_certificate_differs')
  })

  it('[RFC8705-3-4] [S17] refuses the certificate in the second place of a chain', async () => {
    const chain = { key: thief.key, certificate: `${thief.certificate}${holder.certificate}` }
    await expectRefused(await tokenOf(client), { certificate: chain }, 'confirmation_certificate_differs')
  })

  it('[RFC8705-3-3] refuses the certificate in a header, without one in the handshake and beside another', async () => {
    const der = new X509Certificate(holder.certificate).raw.toString('base64')
    const headers = {
      'client-cert': `:${der}:`,
      'x-client-cert': encodeURIComponent(holder.certificate),
      'x-ssl-client-cert': encodeURIComponent(holder.certificate),
      'x-forwarded-client-cert': `Cert="${encodeURIComponent(holder.certificate)}"`,
    }
    await expectRefused(await tokenOf(client), { headers }, 'confirmation_certificate_missing')
    await expectRefused(await tokenOf(client), { headers, certificate: thief }, 'confirmation_certificate_differs')
  })

  it('[S21] refuses a token that is bound to nothing, also beside a certificate', async () => {
    const { json } = await server.token({ client_id: client })
    await expectRefused(json.access_token, { certificate: holder }, 'binding_missing')
    await expectRefused(json.access_token, {}, 'binding_missing')
  })

  it('[S18] refuses the certificate once it has ended, though the token lives', async () => {
    const notAfter = now() + 2
    const brief = await issueCertificate({ subject: 'client', keyType: 'P-256', notAfter })
    const token = await tokenOf(client, brief)
    const clock = now
    now = () => notAfter
    const last = await call(token, { certificate: brief })
    now = () => notAfter + 1
    const ended = await call(token, { certificate: brief })
    now = clock
    expect([last.status, ended.status]).toEqual([200, 401])
    expect(reports.at(-1)).toMatchObject({
      reason: 'confirmation_certificate_unacceptable',
      seen: 'certificate_expired',
    })
  })
})

describe('RFC 8705 §3 the connection to an API', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('[RFC8705-7.3-1] carries the certificate over %s', async (version) => {
    const tls = { minVersion: version, maxVersion: version }
    expect((await call(await tokenOf('client'), { certificate: holder, tls })).status).toBe(200)
  })

  it('[RFC8705-3-6] asks for the certificate in the first handshake, and renegotiates never', async () => {
    const socket = await handshake({ maxVersion: 'TLSv1.2' })
    expect(socket.getSharedSigalgs().length).toBeGreaterThan(0)
    const outcome = await new Promise((resolve) => {
      socket.on('error', () => resolve('refused'))
      socket.on('close', () => resolve('refused'))
      socket.renegotiate({ rejectUnauthorized: true }, (error) => resolve(error ? 'refused' : 'renegotiated'))
    })
    socket.destroy()
    expect(outcome).toBe('refused')
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes no session over %s', async (version) => {
    const first = await handshake({ minVersion: version, maxVersion: version })
    let session = first.getSession()
    first.on('session', (ticket) => {
      session = ticket
    })
    first.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await new Promise((resolve) => first.once('data', resolve))
    first.destroy()
    const second = await handshake({ minVersion: version, maxVersion: version, ...(session && { session }) })
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  })
})

describe('RFC 8705 appendix A', () => {
  it('[RFC8705-A-1] [RFC8705-3.1-2] has the thumbprint that is printed there', () => {
    expect(thumbprintOf(new X509Certificate(printed).raw)).toBe('A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0')
  })
})

function handshake(tls: object): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { certificate: cert, key } = holder
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port: portOf(guarded),
      ca: server.ca,
      cert,
      key,
      ...tls,
    }
    const socket = connect(options, () => resolve(socket))
    socket.on('error', reject)
  })
}

const printed = `-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
`
