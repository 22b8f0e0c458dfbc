import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startServer } from './harness.ts'
import { openWire, tokenRequest, type Wire } from './http-wire.ts'

const most = 200

describe('[F22] connections past the limit', { timeout: 60_000 }, () => {
  let server: Harness
  let wires: Wire[]
  beforeAll(async () => {
    server = await startServer((settings) => ({ ...settings, limits: { connections: most } }))
    wires = []
    for (let opened = 0; opened < most; opened++) wires.push(await openWire(server))
  })
  afterAll(async () => {
    for (const { socket } of wires) socket.destroy()
    await server.close()
  })

  const isTaken = async (on: 'public' | 'mutualTls' = 'public'): Promise<boolean> => {
    const port = on === 'public' ? server.publicPort : server.mutualTlsPort
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: server.ca })
    socket.on('error', () => {})
    const secure = new Promise<boolean>((resolve) => socket.once('secureConnect', () => resolve(true)))
    const isSecure = await Promise.race([secure, isClosed(socket)])
    socket.destroy()
    return isSecure
  }

  it('are closed before a handshake, those at the other listener are not', async () => {
    expect(await isTaken()).toBe(false)
    expect(await isTaken('mutualTls')).toBe(true)
  })

  it('leave those that are open as they are', async () => {
    for (const wire of wires) wire.send(tokenRequest())
    for (const wire of wires) expect((await wire.answer())?.status).toBe(200)
  })

  it('are reported once, and not each of them', async () => {
    for (let tried = 0; tried < 20; tried++) expect(await isTaken()).toBe(false)
    expect(server.reports.filter(({ event }) => event === 'connections_dropped')).toHaveLength(1)
  })

  it('have room when another one has ended', async () => {
    wires.pop()?.socket.destroy()
    await expect.poll(() => isTaken(), { timeout: 2000 }).toBe(true)
  })
})

describe('[F21] many slow clients', { timeout: 60_000 }, () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.close())

  it('are all cut in time, and the others are answered meanwhile', async () => {
    const slow: Promise<number>[] = []
    for (let each = 0; each < 60; each++) {
      slow.push(cutOf(await plain(server.publicPort), dripping(hello)))
      slow.push(cutOf((await openWire(server)).socket, dripping(Buffer.from(`GET / HTTP/1.1\r\nx: ${'x'.repeat(99)}`))))
      slow.push(cutOf((await openWire(server)).socket, dripping(Buffer.from('x'.repeat(99)), bodyToCome)))
    }
    const before = process.memoryUsage().rss
    const unread = [await unreadCut(server), await unreadCut(server)].map(({ seconds }) => seconds)
    let ended = false
    const all = Promise.all([Promise.all(slow), Promise.all(unread)]).finally(() => {
      ended = true
    })
    let answered = 0
    while (!ended) {
      expect((await server.token()).status).toBe(200)
      answered++
      await pause(50)
    }
    const [slowest, unreadLongest] = (await all).map((times) => Math.max(...times))
    expect(slowest).toBeLessThan(24)
    expect(unreadLongest).toBeLessThan(36)
    expect(answered).toBeGreaterThan(50)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
  })
})

describe('[F23] a flood of handshakes', { timeout: 30_000 }, () => {
  it('leaves connections that are open at work', async () => {
    const server = await startServer()
    const wire = await openWire(server, 'mutualTls')
    let [flooding, handshakes] = [true, 0]
    const flood = async () => {
      while (flooding) {
        const { socket } = await openWire(server, 'mutualTls')
        socket.destroy()
        handshakes++
      }
    }
    const floods = Array.from({ length: 8 }, flood)
    const times: number[] = []
    const began = performance.now()
    while (performance.now() - began < 3000) {
      const asked = performance.now()
      wire.send(tokenRequest())
      expect((await wire.answer())?.status).toBe(200)
      times.push(performance.now() - asked)
    }
    flooding = false
    await Promise.all(floods)
    expect(handshakes).toBeGreaterThan(30)
    expect(times.length).toBeGreaterThan(10)
    expect(times.toSorted((one, other) => one - other)[Math.floor(times.length * 0.9)]).toBeLessThan(1000)
    wire.socket.destroy()
    await server.close()
  })
})

const hello = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(200)])
const bodyToCome = tokenRequest({ without: ['content-length'], headers: ['content-length: 1000'], body: '' })

async function plain(port: number): Promise<Socket> {
  const socket = connectPlain({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  socket.on('error', () => socket.destroy())
  return socket
}

/** Sends `first` at once and then a byte each 400 ms. @returns what stops it */
function dripping(bytes: Buffer, first = ''): (socket: Socket) => () => void {
  return (socket) => {
    let sent = 0
    if (first) socket.write(first)
    const timer = setInterval(() => {
      if (sent < bytes.length) socket.write(bytes.subarray(sent, ++sent))
    }, 400)
    return () => clearInterval(timer)
  }
}

/** @returns after how many seconds it was cut */
async function cutOf(
  socket: Socket,
  slowly: (socket: Socket) => () => void,
  answers: 'read' | 'unread' = 'read',
): Promise<number> {
  const [began, stop] = [performance.now(), slowly(socket)]
  if (answers === 'read') socket.resume()
  await isClosed(socket)
  stop()
  return (performance.now() - began) / 1000
}

const metadata = '/.well-known/openid-configuration'

/** Asks until no buffer takes another answer, and reads none. @returns after how many seconds it was cut */
async function unreadCut(server: Harness): Promise<{ readonly seconds: Promise<number> }> {
  const { socket } = await openWire(server)
  socket.pause()
  const answered = () => server.answered.filter(({ request }) => request?.path === metadata).length
  const batch = `GET ${metadata} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(100)
  for (let before = -1; before < answered(); ) {
    before = answered()
    socket.write(batch)
    for (let tries = 0; tries < 40 && answered() < before + 100; tries++) await pause(25)
  }
  return { seconds: cutOf(socket, dripping(Buffer.from('x'.repeat(99))), 'unread') }
}

function isClosed(socket: Socket): Promise<false> {
  return new Promise((resolve) => socket.once('close', () => resolve(false)))
}
