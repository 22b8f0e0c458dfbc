import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, type Harness, startServer } from './harness.ts'
import { openWire, tokenRequest, type Wire, wireOf } from './http-wire.ts'

const right = 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1'

/** What became of a slow client: after how many seconds its connection ended, and what it was told. */
interface Cut {
  readonly after: number
  readonly status?: number | undefined
  readonly error?: unknown
}

describe('[F21] slow clients', { timeout: 40_000 }, () => {
  let server: Harness
  const cuts: Record<string, Promise<Cut>> = {}
  beforeAll(async () => {
    server = await startServer()
    const hello = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])
    cuts.silent = cutOf(await plain(server.publicPort))
    cuts.silentMutualTls = cutOf(await plain(server.mutualTlsPort))
    cuts.halfHello = cutOf(await plain(server.mutualTlsPort), drip(hello))
    cuts.noRequest = cutOfWire(await openWire(server))
    cuts.headers = cutOfWire(
      await openWire(server),
      drip(`POST /token HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(100)}`),
    )
    cuts.body = cutOfWire(
      await openWire(server),
      drip(right, tokenRequest({ without: ['content-length'], headers: ['content-length: 1000'], body: '' })),
    )
    cuts.noReading = pileUp(server)
  })
  afterAll(() => server.close())

  it('do not hold up the others', async () => {
    expect((await server.token()).status).toBe(200)
  })

  it.each(['silent', 'silentMutualTls', 'halfHello'])('[L08] a handshake has ten seconds: %s', async (name) => {
    const cut = await cuts[name]
    expect(cut?.after).toBeGreaterThan(9)
    expect(cut?.after).toBeLessThan(13)
  })

  it.each(['noRequest', 'headers'])('headers have ten seconds, then 408: %s', async (name) => {
    const cut = await cuts[name]
    expect(cut).toMatchObject({ status: 408, error: 'request_timeout' })
    expect(cut?.after).toBeGreaterThan(9)
    expect(cut?.after).toBeLessThan(14)
  })

  it('a request has fifteen seconds, then 408', async () => {
    const cut = await cuts.body
    expect(cut).toMatchObject({ status: 408, error: 'request_timeout' })
    expect(cut?.after).toBeGreaterThan(14)
    expect(cut?.after).toBeLessThan(19)
    expect(server.reports.map(({ reason }) => reason)).toContain('request_too_slow')
  })

  it('who reads nothing of what it asked for is cut off', async () => {
    expect(await cuts.noReading).toMatchObject({ status: undefined })
  })
})

describe('[F27] closing', () => {
  it('lets requests in flight finish on every listener, and takes no new ones', async () => {
    const server = await startServer(withLocalhost(await freePort()))
    const ports = [server.publicPort, server.settings.listen.mutualTls?.port ?? 0]
    const idle = await openWire(server)
    idle.send(tokenRequest())
    expect((await idle.answer())?.headers.connection).toBe('keep-alive')
    const waiting = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const port = ports[index % 2]
        const wire = await openWire(server, 'public', { port, ...(index % 4 === 3 && { host: '::1' }) })
        wire.send(
          tokenRequest({
            without: ['content-length'],
            headers: [`content-length: ${right.length}`],
            body: right.slice(0, 30),
          }),
        )
        return wire
      }),
    )
    const accepted = await plain(server.publicPort)
    await pause(100)
    const began = Date.now()
    const closed = server.close()
    await idle.ended
    expect(Date.now() - began).toBeLessThan(2000)
    await pause(150)
    for (const port of ports) await expect(plain(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(plain(ports[1] ?? 0, '::1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    for (const wire of waiting) wire.send(right.slice(30))
    for (const wire of waiting) {
      const answer = await wire.answer()
      expect([answer?.status, answer?.headers.connection]).toEqual([200, 'close'])
      await wire.ended
    }
    const late = wireOf(connect({ socket: accepted, servername: 'localhost', ca: server.ca }))
    await once(late.socket, 'secureConnect')
    late.send(tokenRequest())
    expect((await late.answer())?.headers.connection).toBe('close')
    await closed
    expect(Date.now() - began).toBeLessThan(10_000)
  })

  it('ends what never comes to an end', { timeout: 30_000 }, async () => {
    const server = await startServer()
    const wire = await openWire(server)
    const stop = drip(
      right,
      tokenRequest({ without: ['content-length'], headers: ['content-length: 1000'], body: '' }),
    )(wire.socket)
    await pause(100)
    const began = Date.now()
    await server.close()
    expect(Date.now() - began).toBeLessThan(12_000)
    stop()
    await wire.ended
  })
})

function withLocalhost(port: number): NonNullable<Parameters<typeof startServer>[0]> {
  return (settings) => ({
    ...settings,
    listen: { ...settings.listen, mutualTls: { port, host: 'localhost' } },
  })
}

/** Sends `first` at once and then a byte each 400 ms, over and over. @returns what stops it */
function drip(bytes: string | Buffer, first = ''): (socket: Socket) => () => void {
  return (socket) => {
    const source = Buffer.from(bytes)
    let sent = 0
    if (first) socket.write(first)
    const timer = setInterval(() => {
      if (sent < source.length) socket.write(source.subarray(sent, ++sent))
    }, 400)
    return () => clearInterval(timer)
  }
}

async function cutOf(socket: Socket, slowly: (socket: Socket) => () => void = () => () => {}): Promise<Cut> {
  const [began, stop] = [Date.now(), slowly(socket)]
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  stop()
  return { after: (Date.now() - began) / 1000 }
}

async function cutOfWire(wire: Wire, slowly: (socket: Socket) => () => void = () => () => {}): Promise<Cut> {
  const [began, stop] = [Date.now(), slowly(wire.socket)]
  const answer = await wire.answer()
  await wire.ended
  stop()
  return { after: (Date.now() - began) / 1000, status: answer?.status, error: answer?.json.error }
}

/** Asks for much more than the buffers of both sides hold, reads after a while, and counts what is missing. */
async function pileUp(server: Harness): Promise<Cut> {
  const asked = 12_000
  const began = Date.now()
  const socket = connect({ host: '127.0.0.1', port: server.publicPort, servername: 'localhost', ca: server.ca })
  await once(socket, 'secureConnect')
  socket.on('error', () => socket.destroy())
  socket.pause()
  socket.write('GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(asked))
  await pause(18_000)
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  const idle = setTimeout(() => socket.destroy(), 5000)
  await new Promise((resolve) => socket.once('close', resolve))
  clearTimeout(idle)
  const answered = received.split('HTTP/1.1 200 OK').length - 1
  return { after: (Date.now() - began) / 1000, status: answered < asked ? undefined : 200 }
}

async function plain(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connectPlain({ host, port })
  await once(socket, 'connect')
  socket.on('error', () => socket.destroy())
  return socket
}
