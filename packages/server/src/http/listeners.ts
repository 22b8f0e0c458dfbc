import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { createServer, type Server } from 'node:https'
import {
  createServer as createDoor,
  type Server as Door,
  type ListenOptions,
  Socket,
  Server as TcpServer,
} from 'node:net'
import type { Duplex } from 'node:stream'
import { type Reason, Refused } from '@holdfast/pop'
import { clientCertificateTlsOptions, tlsOptions } from '@holdfast/pop/resource/node'
import type { Outbound } from '../endpoints/endpoint.ts'
import { renderRefusal, reportOf } from '../endpoints/refusal.ts'
import type { Report } from '../ports/report.ts'
import type { Listener } from '../settings.ts'
import { mostBodyBytes } from './app.ts'
import { createConnectionLimit } from './connection-limit.ts'
import { type Arrival, addressOf, nodeHeaders } from './exchange.ts'
import { reportAnswer } from './passage.ts'

/** A listener, and how to stop it. */
export interface Listening {
  listen(): Promise<void>
  /** From the next connection on. Those that are open go on with the old one. */
  useCertificate(pair: Pick<Listener, 'certificate' | 'key'>): void
  /** Lets requests in flight finish, takes no new ones. */
  close(): Promise<void>
  /** How many are open. */
  connections(): Promise<number>
}

const limits = {
  /** A proof and a token by ML-DSA-87 are 18 KB; nobody has found a use for more. */
  maxHeaderSize: 32_768,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
  requireHostHeader: false,
} as const

/**
 * So long nothing may move on a connection with a request, in milliseconds; twice as long where an answer is not read.
 * More than a request has, so that one that is too slow is told so.
 */
const longestStandstill = 17_000

/** So long an idle connection is left open while draining: its client is told by an answer, or it ends. In milliseconds. */
const courtesy = 250

/** So long somebody has who is told that a connection ends, in milliseconds. */
const longestFarewell = 2000

/** So long requests in flight may take to finish, in milliseconds. */
const longestDrain = 10_000

/** Where requests and news go. */
export interface Traffic {
  /** So many connections are open at the same time: as many as come where left out. */
  readonly connections?: number
  route(request: IncomingMessage, response: ServerResponse): void
  report(report: Report): void
  /** From now on each answer ends its connection. */
  onDrain(): void
}

/**
 * One TLS listener. One that asks for client certificates takes any, or none: what they are worth is judged later.
 * `decisions.md` 2.2: RFC 8705 §6.2, RFC 9325.
 * @param listener with PEM texts, read already
 */
export function createListener(
  listener: Listener,
  arrival: Arrival,
  { route, report, onDrain, connections = Number.POSITIVE_INFINITY }: Traffic,
): Listening {
  const { certificate: cert, key, host, port } = listener
  const tls = arrival.asks ? clientCertificateTlsOptions : tlsOptions
  const server = createServer({ ...tls, ...limits, cert, key })
  server.setTimeout(longestStandstill)
  const refuse = (reason: Reason, response: ServerResponse) => {
    const { status, headers, body } = farewell(new Refused(reason), response.socket, report)
    response.writeHead(status, nodeHeaders(headers)).end(body)
  }

  const take = (request: IncomingMessage, response: ServerResponse) => {
    if (!/^\/(?!\/)/.test(request.url ?? '')) return refuse('request_target_malformed', response)
    route(request, response)
  }
  server.on('request', take)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length']) > mostBodyBytes) return refuse('body_too_large', response)
    response.writeContinue()
    take(request, response)
  })
  server.on('checkExpectation', (_, response: ServerResponse) => refuse('expectation_unknown', response))
  server.on('clientError', (error: ParserError, socket) => refuseConnection(error, socket, report))
  server.on('tlsClientError', (error: ParserError, socket) => {
    if (error.code !== 'ECONNRESET') report({ level: 'info', event: 'handshake_failed', seen: String(error.code) })
    socket.destroy()
  })

  const doors: Door[] = [server]
  const limit = createConnectionLimit(connections, report)
  limit(server)
  return {
    async listen() {
      await open(server, { port, ...(host === undefined ? {} : { host: host === 'localhost' ? '127.0.0.1' : host }) })
      if (host === 'localhost') doors.push(...(await openBeside(server, port, limit)))
    },
    useCertificate: (next) => server.setSecureContext({ ...tls, cert: next.certificate, key: next.key }),
    async close() {
      onDrain()
      await Promise.all([drain(server), ...doors.slice(1).map(shut)])
    },
    connections: async () => (await Promise.all(doors.map(countConnections))).reduce((sum, count) => sum + count, 0),
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

function countConnections(door: Door): Promise<number> {
  return new Promise((resolve) => {
    door.getConnections((_, count) => resolve(count ?? 0))
  })
}

/** localhost is two addresses. What comes in at the second goes to the same server. */
async function openBeside(server: Server, port: number, limit: (door: Door) => void): Promise<Door[]> {
  const door = createDoor({ noDelay: true, allowHalfOpen: true }, (socket) => server.emit('connection', socket))
  limit(door)
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
    const idle = setInterval(() => server.closeIdleConnections(), courtesy)
    const force = setTimeout(() => server.closeAllConnections(), longestDrain)
    // Its own close() ends idle connections at once, and a request may be on its way on one of them.
    TcpServer.prototype.close.call(server, () => {
      clearInterval(idle)
      clearTimeout(force)
      server.close()
      resolve()
    })
  })
}

/** Its connections belong to the server, which ends them. */
function shut(door: Door): Promise<void> {
  return new Promise((resolve) => {
    door.close(() => resolve())
  })
}

interface ParserError extends Error {
  readonly code?: string
}

const parserReasons: Readonly<Record<string, Reason>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_too_slow',
}

/** What the HTTP parser declines still gets an answer. The error holds the bytes received, secrets too: it is not reported. */
function refuseConnection({ code = '' }: ParserError, socket: Duplex, report: (report: Report) => void): void {
  if (!socket.writable || code === 'ECONNRESET') return void socket.destroy()
  const refused = new Refused(parserReasons[code] ?? 'request_malformed', { seen: code })
  const { status, headers, body } = farewell(refused, socket, report)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
  // Who goes on sending, or reads nothing, would keep it open for ever.
  setTimeout(() => socket.destroy(), longestFarewell).unref()
}

/** A refusal that never reaches the endpoints, and ends the connection. */
function farewell(refused: Refused, socket: Duplex | null, report: (report: Report) => void): Outbound {
  const { status, headers, body } = renderRefusal(refused)
  const address = socket instanceof Socket ? addressOf(socket) : undefined
  const unread = { method: 'other', path: 'other', began: performance.now(), address }
  report(reportAnswer({ status }, unread, reportOf(refused)))
  const last = {
    'content-length': String(Buffer.byteLength(body)),
    'x-content-type-options': 'nosniff',
    connection: 'close',
  }
  return { status, headers: { ...headers, ...last }, body }
}
