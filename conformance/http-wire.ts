import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { Answer, Harness } from './harness.ts'

/** A TLS connection that sends bytes as they are: Node's client would tidy them up. */
export interface Wire {
  readonly socket: TLSSocket
  send(bytes: string | Buffer): void
  /** The next answer, or undefined when the connection ends before one is complete. */
  answer(): Promise<WireAnswer | undefined>
  /** The server has ended the connection. */
  readonly ended: Promise<void>
}

/** An answer as it came. */
export interface WireAnswer extends Answer {
  /** The status line, without the version. */
  readonly statusLine: string
}

/** Opens a connection to a listener of the server. */
export async function openWire(
  server: Pick<Harness, 'publicPort' | 'mutualTlsPort' | 'ca'>,
  on: 'public' | 'mutualTls' = 'public',
  options: ConnectionOptions = {},
): Promise<Wire> {
  const socket = connect({
    host: '127.0.0.1',
    port: on === 'public' ? server.publicPort : server.mutualTlsPort,
    servername: 'localhost',
    ca: server.ca,
    ...options,
  })
  await once(socket, 'secureConnect')
  return wireOf(socket)
}

/** Reads the answers that come over a connection. */
export function wireOf(socket: TLSSocket): Wire {
  let received = Buffer.alloc(0)
  let over = false
  let wake = () => {}
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      over = true
      wake()
      resolve()
    })
  })
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.destroy())

  const answer = async (): Promise<WireAnswer | undefined> => {
    for (;;) {
      const found = cut(received)
      if (found) {
        received = received.subarray(found.length)
        return found.answer
      }
      if (over) return undefined
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { socket, send: (bytes) => void socket.write(bytes), answer, ended }
}

/** Sends bytes over a connection of their own, and gives the first answer. */
export async function talk(
  server: Harness,
  bytes: string | Buffer,
  on: 'public' | 'mutualTls' = 'public',
  options: ConnectionOptions = {},
): Promise<WireAnswer> {
  const wire = await openWire(server, on, options)
  try {
    wire.send(bytes)
    const answer = await wire.answer()
    if (!answer) throw new Error('the connection ended without an answer')
    return answer
  } finally {
    wire.socket.destroy()
  }
}

/** The bytes of a request for a token that is right, but for other header lines, target or body. */
export function tokenRequest({
  target = '/token',
  method = 'POST',
  headers = [],
  without = [],
  body = 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1',
}: {
  readonly target?: string
  readonly method?: string
  readonly headers?: readonly string[]
  readonly without?: readonly ('host' | 'content-type' | 'content-length')[]
  readonly body?: string
} = {}): string {
  const usual = {
    host: 'localhost',
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(Buffer.byteLength(body)),
  }
  const lines = Object.entries(usual)
    .filter(([name]) => !without.some((each) => each === name))
    .map(([name, value]) => `${name}: ${value}`)
  return `${[`${method} ${target} HTTP/1.1`, ...lines, ...headers].join('\r\n')}\r\n\r\n${body}`
}

function cut(received: Buffer): { readonly answer: WireAnswer; readonly length: number } | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n')
  const headers: Record<string, string> = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const length = end + 4 + Number(headers['content-length'] ?? 0)
  if (received.length < length) return undefined
  const text = received.subarray(end + 4, length).toString('utf8')
  const statusLine = first.replace('HTTP/1.1 ', '')
  return { answer: { status: Number.parseInt(statusLine, 10), statusLine, headers, text, json: parse(text) }, length }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
