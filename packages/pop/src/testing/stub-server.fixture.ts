import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { encodeBase64url } from '../foundation/base64url.ts'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '../node/certificates/make.ts'
import { thumbprintOf } from '../node/certificates/read.ts'

/** A request as the stub saw it. */
export interface Seen {
  readonly path: string
  readonly method: string
  readonly authorization: string | undefined
  readonly form: URLSearchParams
  /** `x5t#S256` of the certificate of the connection. */
  readonly thumbprint: string | undefined
  /** Counts connections, from 1. */
  readonly connection: number
  /** The TLS session of the connection was begun by an earlier one. */
  readonly isResumed: boolean
}

/** What the stub answers: a body as JSON or as text, 200 unless a status says otherwise. */
export interface StubAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

/** A server on a socket of its own that asks for client certificates, for tests of clients. */
export interface StubServer {
  readonly origin: string
  readonly port: number
  /** All requests so far. */
  readonly seen: readonly Seen[]
  /** Cuts every connection, and stops. */
  readonly stop: () => Promise<void>
}

/** Authority and certificate of stubs, for `localhost`. */
export interface StubIdentity {
  readonly ca: string
  readonly pair: CertificatePair
}

/** Makes an authority and a certificate for `localhost`. */
export async function createStubIdentity(
  options: Partial<Parameters<typeof issueCertificate>[0]> = {},
): Promise<StubIdentity> {
  const issuer = await createCertificateAuthority({ name: 'Stub authority' })
  const pair = await issueCertificate({
    subject: 'localhost',
    dns: ['localhost'],
    keyType: 'P-256',
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth'],
    issuer,
    ...options,
  })
  return { ca: issuer.certificate, pair }
}

/** Starts a stub. What `answer` throws cuts the connection. */
export async function startStub(
  { pair }: StubIdentity,
  answer: (seen: Seen, origin: string) => StubAnswer | Promise<StubAnswer>,
  options: ServerOptions & { readonly port?: number } = {},
): Promise<StubServer> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const connections = new WeakMap<Socket, number>()
  let count = 0
  const { port = 0, ...tls } = options
  const server = createServer(
    { cert: pair.certificate, key: pair.key, requestCert: true, rejectUnauthorized: false, ca: [], ...tls },
    (request, response) => void respond(request, response),
  )
  server.on('connection', (socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  server.on('secureConnection', (socket) => connections.set(socket, ++count))
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve))
  const address = portOf(server)
  const origin = `https://localhost:${address}`

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const known = await read(request, connections.get(request.socket) ?? 0)
      seen.push(known)
      const { status = 200, headers = {}, body } = await answer(known, origin)
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    } catch {
      request.socket.destroy()
    }
  }

  const stop = async (): Promise<void> => {
    const stopped = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await stopped
  }
  return { origin, port: address, seen, stop }
}

/** The metadata of a stub that is its own authorization server. */
export function stubMetadata(origin: string): Readonly<Record<string, unknown>> {
  return {
    issuer: origin,
    token_endpoint: `${origin}/token`,
    introspection_endpoint: `${origin}/introspect`,
    revocation_endpoint: `${origin}/revoke`,
    tls_client_certificate_bound_access_tokens: true,
  }
}

/** An unsigned JWT with these claims: clients do not verify access tokens. */
export function unsignedJwt(claims: object): string {
  const part = (value: object) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
  return `${part({ alg: 'ES256', typ: 'at+jwt' })}.${part(claims)}.${encodeBase64url(new Uint8Array(64))}`
}

async function read(request: IncomingMessage, connection: number): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const socket = request.socket as TLSSocket
  const certificate = socket.getPeerX509Certificate()
  return {
    path: request.url ?? '',
    method: request.method ?? '',
    authorization: request.headers.authorization,
    form: new URLSearchParams(Buffer.concat(chunks).toString()),
    thumbprint: certificate && thumbprintOf(certificate.raw),
    connection,
    isResumed: socket.isSessionReused(),
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
