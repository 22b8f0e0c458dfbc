import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import {
  type CertificatePair,
  createCertificateAuthority,
  derOf,
  issueCertificate,
  x509Of,
} from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { claimsOf, type Harness, startServer } from './harness.ts'
import { openWire, tokenRequest } from './http-wire.ts'
import { createLoad } from './load.ts'

/** How long certificates are replaced under load; `HOLDFAST_SECONDS` says otherwise. */
const seconds = Number(process.env.HOLDFAST_SECONDS ?? 4)

describe('a certificate of the server that is replaced on the disk', () => {
  let server: Harness
  let directory: string
  let authority: CertificatePair
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-renewal-'))
    authority = await createCertificateAuthority({ name: 'Renewal', keyType: 'P-256' })
    write(await newPair())
    const files = { certificate: 'server.pem', key: 'server.key' }
    server = await startServer(
      ({ listen, ...settings }) => ({ ...settings, listen: { ...listen, public: { ...listen.public, ...files } } }),
      directory,
    )
  })
  afterAll(async () => {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const newPair = () =>
    issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  const write = ({ certificate, key }: Pick<CertificatePair, 'certificate' | 'key'>) => {
    writeFileSync(join(directory, 'server.key'), key)
    writeFileSync(join(directory, 'server.pem'), certificate)
  }
  const serialOf = ({ certificate }: CertificatePair) => x509Of(derOf(certificate)).serialNumber

  /** The serial number that a new connection sees. */
  const served = async (port: number) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.certificate })
    await once(socket, 'secureConnect')
    const serial = socket.getPeerX509Certificate()?.serialNumber
    socket.destroy()
    return serial
  }

  /** The status of the metadata, over a connection of the agent. */
  const ask = async (agent: Agent) => {
    const { publicPort: port } = server
    const path = '/.well-known/openid-configuration'
    const outgoing = request({
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path,
      agent,
      ca: authority.certificate,
    }).end()
    const [response] = await once(outgoing, 'response')
    response.resume()
    await once(response, 'end')
    return { status: response.statusCode, reused: outgoing.reusedSocket }
  }

  it('[L10] is served to new connections of both listeners, and drops none that is open', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect(await ask(agent)).toEqual({ status: 200, reused: false })
    const next = await newPair()
    write(next)
    await expect.poll(() => served(server.publicPort), { timeout: 5000 }).toBe(serialOf(next))
    await expect.poll(() => served(server.mutualTlsPort), { timeout: 5000 }).toBe(serialOf(next))
    expect(await ask(agent)).toEqual({ status: 200, reused: true })
    expect(server.reports.map(({ event }) => event)).toContain('certificate_replaced')
    agent.destroy()
  })

  it('[L10] stays when the files break, which is reported once, and goes when they are whole again', async () => {
    const before = await served(server.publicPort)
    const broken = () => server.reports.filter(({ event }) => event === 'certificate_unusable')
    const next = await newPair()
    write({ ...next, key: 'not a key' })
    await expect.poll(() => broken().length, { timeout: 5000 }).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2100))
    expect(broken()).toMatchObject([{ level: 'error', seen: expect.stringContaining('listen.public') }])
    expect(await served(server.publicPort)).toBe(before)
    write(next)
    await expect.poll(() => served(server.publicPort), { timeout: 5000 }).toBe(serialOf(next))
  })

  it('[F19] fails no request when it is replaced each second, and is broken in between', {
    timeout: 30_000 + 2000 * seconds,
  }, async () => {
    const kept = createLoad(() => server.publicPort, authority.certificate)
    const fresh = createLoad(() => server.publicPort, authority.certificate, 1)
    const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', scope: 'api1' }
    const running = [
      kept.run(100, () => kept.post(form)),
      fresh.run(10, () => fresh.post(form, '/token', { connection: 'close' })),
    ]
    const serials = new Set<string | undefined>()
    for (let second = 0; second < seconds; second++) {
      write(await newPair())
      if (second % 4 === 3) writeFileSync(join(directory, 'server.key'), second % 8 === 3 ? '' : 'not a key')
      await new Promise((resolve) => setTimeout(resolve, 1000))
      serials.add(await served(server.publicPort))
    }
    for (const each of running) await each.stop()
    for (const load of [kept, fresh]) {
      load.close()
      expect(load.outcomes.filter(({ status }) => status !== 200)).toEqual([])
      expect(load.outcomes.length).toBeGreaterThan(5 * seconds)
    }
    expect(serials.size).toBeGreaterThan(seconds / 3)
  })

  it('[L10] still asks for certificates, and gives no session ticket, on the listener that asks', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port: server.mutualTlsPort,
      servername: 'localhost',
      ca: authority.certificate,
      maxVersion: 'TLSv1.2',
    })
    await once(socket, 'secureConnect')
    expect(socket.getSession()).toBeDefined()
    expect(socket.getTLSTicket()).toBeUndefined()
    socket.destroy()
    const certificate = await issueCertificate({ subject: 'client', keyType: 'Ed25519' })
    const answer = await server.token({}, { certificate, tls: { ca: authority.certificate } })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })
})

describe('[F20] a certificate of a client that ends while its connection is kept', () => {
  let authority: CertificatePair
  beforeAll(async () => {
    authority = await createCertificateAuthority({ name: 'Short', keyType: 'P-256' })
  })

  it('is refused at the next request, by the clock of the machine', async () => {
    const server = await startServer((settings) => ({
      ...settings,
      clients: [
        ...(settings.clients ?? []),
        {
          client_id: 'short',
          token_endpoint_auth_method: 'tls_client_auth',
          tls_client_auth_san_dns: 'short.test',
          trust_group: 'short',
          scope: 'api1',
        },
      ],
      mutualTls: { ...settings.mutualTls, trustGroups: { short: { ca: authority.certificate } } },
    }))
    onTestFinished(() => server.close())
    const notAfter = Math.floor(Date.now() / 1000) + 3
    const { certificate, key } = await issueCertificate({
      subject: 'short',
      issuer: authority,
      keyType: 'P-256',
      dns: ['short.test'],
      notAfter,
    })
    const wire = await openWire(server, 'mutualTls', { cert: certificate, key })
    onTestFinished(() => void wire.socket.destroy())
    const ask = async () => {
      wire.send(tokenRequest({ without: ['content-length'], headers: [`content-length: ${form.length}`], body: form }))
      return (await wire.answer())?.status
    }
    const form = 'grant_type=client_credentials&client_id=short&scope=api1'
    expect(await ask()).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, (notAfter + 1) * 1000 - Date.now()))
    expect(await ask()).toBe(401)
  })
})
