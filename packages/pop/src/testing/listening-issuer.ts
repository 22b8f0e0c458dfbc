import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { issueCertificate } from '../node/certificates/make.ts'
import { tlsOptions } from '../node/resource/tls-options.ts'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from './issuer.ts'

/** An issuer that listens on the loopback, until it is closed. Its clock is the system's. */
export interface ListeningIssuer extends TestIssuer, AsyncDisposable {
  /** PEM: what a client must trust to reach it. */
  readonly ca: string
  readonly close: () => Promise<void>
}

/** Starts an issuer on a free port of `localhost`, over TLS. */
export async function startTestIssuer(options: Omit<TestIssuerOptions, 'issuer'> = {}): Promise<ListeningIssuer> {
  const { certificate, key } = await issueCertificate({ subject: 'localhost', keyType: 'P-256', dns: ['localhost'] })
  const server = createServer({ ...tlsOptions, cert: certificate, key })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const now = () => Math.floor(Date.now() / 1000)
  const issuer = createTestIssuer({ now, ...options, issuer: `https://localhost:${port}` })
  server.on('request', async (request, response) => {
    const answer = await issuer.fetch(`${issuer.issuer}${request.url}`, await requestOf(request))
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  const close = async () => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return { ...issuer, ca: certificate, close, [Symbol.asyncDispose]: close }
}

async function requestOf(request: IncomingMessage): Promise<RequestInit> {
  let body = ''
  for await (const part of request.setEncoding('utf8')) body += String(part)
  const { authorization } = request.headers
  return { ...(authorization === undefined ? {} : { headers: { authorization } }), body }
}
