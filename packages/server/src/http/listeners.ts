import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { createServer as createDoor, type Server as Door, type ListenOptions } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Reason, Refused } from '@holdfast/pop'
import { clientCertificateTlsOptions, tlsOptions } from '@holdfast/pop/resource/node'
import { renderRefusal } from '../endpoints/refusal.ts'
import type { Listener } from '../settings.ts'
import { mostBodyBytes } from './app.ts'
import type { Arrival } from './exchange.ts'

/** A listener, and how to stop it. */
export interface Listening {
  listen(): Promise<void>
  /** Lets requests in flight finish, takes no new ones. */
  close(): Promise<void>
}

const limits = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
  requireHostHeader: false,
} as const

/** So long requests in flight may take to finish, in milliseconds. */
const longestDrain = 10_000

/**
 * One TLS listener. One that asks for client certificates takes any, or none: what they are worth is judged later.
 * `decisions.md` 2.2: RFC 8705 §6.2, RFC 9325.
 * @param listener with PEM texts, read already
 */
export function createListener(
  listener: Listener,
  arrival: Arrival,
  route: (request: IncomingMessage, response: ServerResponse) => void,
): Listening {
  const { certificate: cert, key, host, port } = listener
  const server = createServer({ ...(arrival.asks ? clientCertificateTlsOptions : tlsOptions), ...limits, cert, key })
  let draining = false

  const take = (request: IncomingMessage, response: ServerResponse) => {
    if (draining) response.setHeader('connection', 'close')
    if (!/^\/(?!\/)/.test(request.url ?? '')) return refuse('request_target_malformed', response)
    route(request, response)
  }
  server.on('request', take)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length']) > mostBodyBytes) return refuse('body_too_large', response)
    response.writeContinue()
    take(request, response)
  })
  server.on('clientError', refuseConnection)
  server.on('tlsClientError', (_, socket) => socket.destroy())

  const doors: Door[] = [server]
  return {
    async listen() {
      await open(server, { port, ...(host === undefined ? {} : { host: host === 'localhost' ? '127.0.0.1' : host }) })
      if (host === 'localhost') doors.push(...(await openBeside(server, port)))
    },
    async close() {
      draining = true
      for (const door of doors.slice(1)) door.close()
      await drain(server)
    },
  }
}

function open(door: Door, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    door.once('error', reject)
    door.listen(options, () => {
      door.off('error', reject)
      resolve()
    })
  })
}

/** localhost is two addresses. What comes in at the second goes to the same server. */
async function openBeside(server: Server, port: number): Promise<Door[]> {
  const door = createDoor((socket) => server.emit('connection', socket))
  try {
    await open(door, { port, host: '::1', ipv6Only: true })
    return [door]
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'))
      return []
    throw error
  }
}

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 100)
    const force = setTimeout(() => server.closeAllConnections(), longestDrain)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function refuse(reason: Reason, response: ServerResponse): void {
  const { status, headers, body } = renderRefusal(new Refused(reason))
  response.writeHead(status, { ...headers, connection: 'close' }).end(body)
}

const parserReasons: Readonly<Record<string, Reason>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_too_slow',
}

/** What the HTTP parser declines still gets an answer, and the connection ends. */
function refuseConnection(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const { status, headers, body } = renderRefusal(new Refused(parserReasons[error.code ?? ''] ?? 'request_malformed'))
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`)
  socket.end(
    `HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n${lines.join('\r\n')}\r\n\r\n${body}`,
  )
}
