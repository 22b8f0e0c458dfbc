import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect as connectPlain, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { createClientCertificate, issueCertificate, keyTypes } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { claimsOf, declined, freePort, type Harness, startServer } from './harness.ts'
import { openWire, talk, tokenRequest } from './http-wire.ts'
import { requirePrograms } from './requires.ts'

let server: Harness
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const listeners = ['public', 'mutualTls'] as const
const portOf = (on: (typeof listeners)[number]) => (on === 'public' ? server.publicPort : server.mutualTlsPort)
const handshakeFailures = () => server.reports.filter(({ event }) => event === 'handshake_failed')

/** The server still does its work. */
async function requireAlive(): Promise<void> {
  expect((await server.token()).status).toBe(200)
}

/** Shakes hands, and gives the connection or the error. */
async function shakeHands(on: (typeof listeners)[number], options: ConnectionOptions): Promise<TLSSocket | string> {
  const socket = connect({ host: '127.0.0.1', port: portOf(on), servername: 'localhost', ca: server.ca, ...options })
  onTestFinished(() => void socket.destroy())
  try {
    await once(socket, 'secureConnect')
    return socket
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

describe('RFC 9325 §3, §4 versions and suites', () => {
  it.each(listeners)('[RFC7591-5-3, RFC7592-5-1] the %s listener speaks TLS 1.2 and 1.3', async (on) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shakeHands(on, { minVersion: version, maxVersion: version })
      expect(typeof socket === 'string' ? socket : socket.getProtocol()).toBe(version)
    }
  })

  it.each(listeners)('[L02] the %s listener refuses TLS 1.1, and reports it', async (on) => {
    const before = handshakeFailures().length
    const failed = await shakeHands(on, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' })
    expect(failed).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
    await expect.poll(() => handshakeFailures().at(before)?.seen).toBe('ERR_SSL_UNSUPPORTED_PROTOCOL')
    await requireAlive()
  })

  it.each([
    'AES128-SHA',
    'ECDHE-ECDSA-AES128-SHA256',
    'ECDHE-ECDSA-AES256-SHA',
    'AES256-GCM-SHA384',
    'eNULL@SECLEVEL=0',
  ])('[L02] refuses who knows %s only', async (ciphers) => {
    for (const on of listeners) {
      const failed = await shakeHands(on, { ciphers, maxVersion: 'TLSv1.2' })
      expect(failed).toMatch(/HANDSHAKE_FAILURE|NO_CIPHER/)
    }
  })

  it.each(['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'])('takes %s', async (ciphers) => {
    const socket = await shakeHands('mutualTls', { ciphers, maxVersion: 'TLSv1.2' })
    expect(typeof socket === 'string' ? socket : socket.getCipher().name).toBe(ciphers)
  })

  it('[G25] negotiates HTTP/1.1 and never HTTP/2', async () => {
    for (const on of listeners) {
      const both = await shakeHands(on, { ALPNProtocols: ['h2', 'http/1.1'] })
      expect(typeof both === 'string' ? both : both.alpnProtocol).toBe('http/1.1')
      expect(await shakeHands(on, { ALPNProtocols: ['h2'] })).toMatch(/ALERT_NO_APPLICATION_PROTOCOL/)
    }
  })

  it.each(['', 'LOCALHOST', 'unknown.test', `${'a.'.repeat(126)}a`])(
    '[L04] serves the same whatever the SNI is: %s',
    async (servername) => {
      const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
      const options = {
        servername,
        checkServerIdentity: () => undefined,
        cert: certificate.certificate,
        key: certificate.key,
      }
      const answer = await talk(server, tokenRequest(), 'mutualTls', options)
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
      expect((await talk(server, tokenRequest(), 'public', options)).status).toBe(200)
    },
  )
})

describe('RFC 8705 §6.2 who is asked for a certificate', () => {
  it.each(keyTypes)('a certificate with a key of %s arrives and binds', async (keyType) => {
    const certificate = await createClientCertificate({ name: 'client', keyType })
    const answer = await server.token({}, { certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it.each(['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const)('by TLS 1.2 too: %s', async (keyType) => {
    const { certificate, key, thumbprint } = await createClientCertificate({ name: 'client', keyType })
    const answer = await talk(server, tokenRequest(), 'mutualTls', { cert: certificate, key, maxVersion: 'TLSv1.2' })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': thumbprint })
  })

  it('the mTLS listener does not insist', async () => {
    expect((await server.token({}, { on: 'mutualTls' })).status).toBe(200)
  })

  it('the public listener takes no notice of a certificate', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await server.token({}, { on: 'public', certificate })
    expect(claimsOf(answer.json.access_token)).not.toHaveProperty('cnf')
  })

  it('takes ten certificates in a chain, and refuses eleven', async () => {
    const chain = await chainOf(11)
    const pairOf = (length: number) => ({
      certificate: chain
        .slice(0, length)
        .map(({ certificate }) => certificate)
        .join(''),
      key: chain[0]?.key ?? '',
    })
    expect((await server.token({}, { certificate: pairOf(10) })).status).toBe(200)
    expect(await declined(server, server.token({}, { certificate: pairOf(11) }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'certificate_chain_too_long',
    })
  })

  it('[F20] a certificate that expires on a kept connection is refused at the next request', async () => {
    const own = await startServer()
    onTestFinished(() => own.close())
    const now = own.freeze()
    const { certificate, key } = await issueCertificate({ subject: 'client', keyType: 'P-256', notAfter: now + 60 })
    const wire = await openWire(own, 'mutualTls', { cert: certificate, key })
    onTestFinished(() => void wire.socket.destroy())
    const ask = async () => {
      wire.send(tokenRequest())
      return (await wire.answer())?.status
    }
    expect(await ask()).toBe(200)
    own.advance(60)
    expect(await ask()).toBe(200)
    own.advance(1)
    expect(await ask()).toBe(400)
    expect(own.reports.at(-1)?.reason).toBe('certificate_expired')
  })
})

describe('RFC 8705 §7.1 sessions', () => {
  const sessionOf = async (on: (typeof listeners)[number], maxVersion: 'TLSv1.2' | 'TLSv1.3') => {
    const { certificate, key } = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const wire = await openWire(server, on, { maxVersion, cert: certificate, key })
    let session: Buffer | undefined = wire.socket.getSession()
    wire.socket.on('session', (each: Buffer) => {
      session = each
    })
    wire.send(tokenRequest())
    await wire.answer()
    wire.socket.destroy()
    return session
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('[L05] are not resumed on the mTLS listener (%s)', async (maxVersion) => {
    const session = await sessionOf('mutualTls', maxVersion)
    const socket = await shakeHands('mutualTls', { maxVersion, ...(session && { session }) })
    expect(typeof socket === 'string' ? socket : socket.isSessionReused()).toBe(false)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '[L05] of the public listener are none for the mTLS one (%s)',
    async (maxVersion) => {
      const session = await sessionOf('public', maxVersion)
      expect(session).toBeDefined()
      const socket = await shakeHands('mutualTls', { maxVersion, ...(session && { session }) })
      expect(typeof socket === 'string' ? socket : socket.isSessionReused()).toBe(false)
    },
  )
})

requirePrograms('openssl')('openssl s_client', () => {
  const sClient = (on: (typeof listeners)[number], ...options: readonly string[]) =>
    run(['s_client', '-connect', `127.0.0.1:${portOf(on)}`, '-servername', 'localhost', ...options])

  it.each(['-tls1_2', '-tls1_3'])(
    'reads "No client certificate CA names sent" on the mTLS listener (%s)',
    async (version) => {
      const printed = await sClient('mutualTls', version)
      expect(printed).toContain('No client certificate CA names sent')
      expect(printed).toMatch(/Requested Signature Algorithms: .*ECDSA\+SHA256.*ed25519.*RSA-PSS\+SHA256/)
    },
  )

  it.each(['-tls1_2', '-tls1_3'])('is not asked for a certificate on the public listener (%s)', async (version) => {
    const printed = await sClient('public', version, '-msg')
    expect(printed).toContain('ServerHello')
    expect(printed).not.toContain('CertificateRequest')
    expect(await sClient('mutualTls', version, '-msg')).toContain('CertificateRequest')
  })

  it.each(['-tls1_2', '-tls1_3'])('that does not trust the server is reported (%s)', async (version) => {
    const report = { level: 'info', event: 'handshake_failed', seen: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }
    const alerts = () => server.reports.filter(({ seen }) => seen === report.seen)
    const before = alerts().length
    await sClient('mutualTls', version, '-verify_return_error')
    await expect.poll(() => alerts().length).toBe(before + 1)
    expect(alerts().at(-1)).toEqual(report)
  })

  it('[L06] may send no early data', async () => {
    for (const on of listeners) expect(await sClient(on, '-tls1_3')).not.toMatch(/Max Early Data: [1-9]/)
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [session, early] = [join(folder, 'session'), join(folder, 'early')]
    writeFileSync(early, 'GET /jwks HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await sClient('public', '-tls1_3', '-sess_out', session)
    expect(await sClient('public', '-tls1_3', '-sess_in', session, '-early_data', early)).not.toContain(
      'Early data was accepted',
    )
  })

  it.each(listeners)('[L07] may not renegotiate on the %s listener', async (on) => {
    const printed = await run(['s_client', '-connect', `127.0.0.1:${portOf(on)}`, '-tls1_2'], 'R\n')
    expect(printed).toContain('RENEGOTIATING')
    expect(printed).toContain('no renegotiation')
    await requireAlive()
  })
})

describe('what is not TLS', () => {
  it.each([
    [
      '[RFC6749-1.6-1, RFC6749-2.3.1-5, RFC6749-3.1-6, RFC6749-3.2-5, RFC6749-10.3-3, RFC6749-10.8-1, RFC6749-10.9-1, RFC6749-10.11-1, RFC7591-3-2, RFC7592-2-2, RFC8628-3.1-3, RFC8693-6-1, RFC9101-8-1] [L11] plain HTTP',
      'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n',
    ],
    ['noise', Buffer.alloc(4096, 0xa5)],
    ['an alert', Buffer.from([21, 3, 3, 0, 2, 2, 40])],
    ['a record of the largest length', Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), Buffer.alloc(65_535)])],
  ])('%s ends the connection, and is reported as a handshake that failed', async (_, bytes) => {
    for (const on of listeners) {
      const before = handshakeFailures().length
      const socket = await plain(portOf(on))
      socket.write(bytes)
      await closed(socket)
      await expect.poll(() => handshakeFailures().length).toBe(before + 1)
    }
    await requireAlive()
  })

  it('a connection that comes and goes is not worth a report', async () => {
    const before = server.reports.length
    const socket = await plain(server.publicPort)
    socket.destroy()
    await requireAlive()
    expect(server.reports.slice(before)).toEqual([])
  })

  it('[L09] two hundred mutated ClientHellos', async () => {
    const hello = await recordHello()
    const before = server.reports.length
    for (let round = 0; round < 10; round++) {
      const sockets = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const socket = await plain(portOf(listeners[index % 2] ?? 'public'))
          const mutant = Buffer.from(hello)
          for (let flip = 0; flip <= round; flip++) {
            const at = (round * 7919 + index * 104_729 + flip * 1299) % mutant.length
            mutant[at] = (mutant[at] ?? 0) ^ (1 << ((index + flip) % 8))
          }
          socket.end(mutant)
          return socket
        }),
      )
      await Promise.all(sockets.map(closed))
    }
    await requireAlive()
    const events = server.reports.slice(before).map(({ event }) => event)
    expect(new Set(events)).toEqual(new Set(['handshake_failed']))
  })

  it('[L09] eighty mutated client certificates', async () => {
    const good = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const der = Buffer.from(good.certificate.replace(/-----.*-----|\s/g, ''), 'base64')
    const pem = (bytes: Buffer) =>
      `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
    const before = server.reports.length
    const outcomes = await Promise.all(
      Array.from({ length: 80 }, async (_, index) => {
        const mutant = Buffer.from(der)
        const at = (index * 104_729) % mutant.length
        mutant[at] = (mutant[at] ?? 0) ^ (1 << (index % 8))
        try {
          const certificate = { certificate: pem(mutant), key: good.key }
          const { status, json } = await server.token({}, { certificate })
          return status === 200 ? claimsOf(json.access_token).cnf?.['x5t#S256'] !== good.thumbprint : status
        } catch {
          return 'no connection'
        }
      }),
    )
    expect(outcomes.filter((outcome) => outcome !== true && outcome !== 400 && outcome !== 'no connection')).toEqual([])
    expect(outcomes).toContain(true)
    expect(server.reports.slice(before).filter(({ level }) => level === 'error')).toEqual([])
    await requireAlive()
  })
})

describe('the name localhost', () => {
  it('listens on both loopback addresses, which are one listener', async () => {
    const port = await freePort()
    const own = await startServer((settings) => ({
      ...settings,
      listen: { ...settings.listen, mutualTls: { port, host: 'localhost' } },
    }))
    onTestFinished(() => own.close())
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    for (const host of ['127.0.0.1', '::1']) {
      const options = { host, port, cert: certificate.certificate, key: certificate.key }
      const answer = await talk(own, tokenRequest(), 'mutualTls', options)
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    }
  })
})

describe('certificates on connections that are kept', () => {
  it('belong to the connection: two clients of one agent each get their own', async () => {
    const agent = new Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    const certificates = await Promise.all(
      [1, 2].map(() => createClientCertificate({ name: 'client', keyType: 'P-256' })),
    )
    for (const { certificate, key, thumbprint } of [...certificates, ...certificates]) {
      const answer = await new Promise<string>((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          servername: 'localhost',
          port: server.mutualTlsPort,
          path: '/token',
          method: 'POST',
        }
        const headers = { 'content-type': 'application/x-www-form-urlencoded' }
        request({ ...options, ca: server.ca, cert: certificate, key, agent, headers }, (response) => {
          let text = ''
          response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text))
        })
          .on('error', reject)
          .end('grant_type=client_credentials&client_id=client&client_secret=secret')
      })
      expect(claimsOf(JSON.parse(answer).access_token).cnf).toEqual({ 'x5t#S256': thumbprint })
    }
  })
})

/** A leaf and the CAs above it. */
async function chainOf(length: number) {
  const chain = [await issueCertificate({ subject: 'root', keyType: 'P-256', isCa: true })]
  for (let index = 1; index < length; index++) {
    const [issuer] = chain
    if (!issuer) break
    chain.unshift(
      await issueCertificate({ subject: `below ${index}`, keyType: 'P-256', issuer, isCa: index < length - 1 }),
    )
  }
  return chain
}

async function plain(port: number): Promise<Socket> {
  const socket = connectPlain({ host: '127.0.0.1', port })
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function closed(socket: Socket): Promise<void> {
  socket.resume()
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** The first bytes that a TLS client sends. */
async function recordHello(): Promise<Buffer> {
  const listener = createServer()
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const address = listener.address()
  const client = connect({
    host: '127.0.0.1',
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    servername: 'localhost',
  })
  client.on('error', () => {})
  const [socket]: Socket[] = await once(listener, 'connection')
  const [bytes]: Buffer[] = socket ? await once(socket, 'data') : []
  client.destroy()
  socket?.destroy()
  listener.close()
  return bytes ?? Buffer.alloc(0)
}

async function run(options: readonly string[], input = ''): Promise<string> {
  const child = spawn('openssl', options, { stdio: ['pipe', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  child.stderr.on('data', (chunk) => (printed += chunk))
  child.stdin.on('error', () => {})
  if (input === '') child.stdin.end()
  else setTimeout(() => child.stdin.write(input), 300)
  const late = setTimeout(() => child.kill(), 5000)
  await once(child, 'close')
  clearTimeout(late)
  return printed
}
