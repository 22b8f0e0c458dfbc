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

let endless: Promise<number>

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
    endless = closeUnderDrip()
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
    expect(Date.now() - began).toBeLessThan(5000)
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
    expect(await endless).toBeLessThan(12)
  })
})

/** Closes a server while a request trickles in. @returns seconds until it was closed */
async function closeUnderDrip(): Promise<number> {
  const server = await startServer()
  const wire = await openWire(server)
  const head = tokenRequest({ without: ['content-length'], headers: ['content-length: 1000'], body: '' })
  const stop = drip(right, head)(wire.socket)
  await pause(100)
  const began = Date.now()
  await server.close()
  stop()
  await wire.ended
  return (Date.now() - began) / 1000
}

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

async function plain(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connectPlain({ host, port })
  await once(socket, 'connect')
  socket.on('error', () => socket.destroy())
  return socket
}
