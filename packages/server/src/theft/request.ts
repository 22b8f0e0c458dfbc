import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'

/** How one connection is opened. */
export interface Connection {
  readonly ca?: string | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** A TLS session to resume. */
  readonly session?: Buffer | undefined
  readonly version?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** The headers of a request: one line for each value. */
export type RequestHeaders = Readonly<Record<string, string | string[]>>

/** What came back, and what the connection left behind. */
export interface Reply {
  readonly status: number
  readonly challenge: string
  /** What stands in `DPoP-Nonce`. */
  readonly nonce: string | undefined
  readonly body: string
  readonly resumed: boolean
  /** The last session that the server handed out. */
  readonly session: Buffer | undefined
}

/** The server closed the connection in or right after the handshake: it refuses the certificate, or its absence. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused'
}

const patience = 10_000
const bodyLimit = 65_536

/**
 * Sends one GET over a connection of its own: no pool and no session cache that would lend one identity to another.
 * @throws {@link HandshakeRefused}, or the system's error when there is no such server or it cannot be trusted
 */
export async function fetchOnce(
  url: URL,
  headers: RequestHeaders,
  { ca, certificate: cert, key, session, version }: Connection,
): Promise<Reply> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(session === undefined ? {} : { session }),
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
  })
  let last: Buffer | undefined
  socket.on('session', (given) => {
    last = given
  })
  socket.on('error', () => {})
  try {
    await secured(socket)
    return { ...(await exchange(socket, url, headers)), resumed: socket.isSessionReused(), session: last }
  } finally {
    socket.destroy()
  }
}

async function secured(socket: TLSSocket): Promise<void> {
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(patience) })
  } catch (error) {
    throw isAlert(error) ? new HandshakeRefused('the handshake was refused', { cause: error }) : error
  }
}

async function exchange(socket: TLSSocket, url: URL, headers: RequestHeaders) {
  const sent = request(url, {
    createConnection: () => socket,
    headers: { ...headers, connection: 'close' },
    signal: AbortSignal.timeout(patience),
  })
  sent.end()
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const { 'www-authenticate': challenge = '', 'dpop-nonce': nonce } = response.headers
    return { status: response.statusCode ?? 0, challenge, nonce: nonce?.toString(), body: await text(response) }
  } catch (error) {
    // TLS 1.3: the client takes the handshake for done before the server has judged its certificate.
    throw isAlert(error) || isCut(error) ? new HandshakeRefused('the connection was cut', { cause: error }) : error
  }
}

async function text(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) {
    body += chunk
    if (body.length > bodyLimit) break
  }
  return body.slice(0, bodyLimit)
}

function isAlert(error: unknown): boolean {
  return codeOf(error).startsWith('ERR_SSL_') && codeOf(error).includes('ALERT')
}

function isCut(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
