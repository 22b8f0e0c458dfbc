import { createServer } from 'node:https'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { tlsOptions } from '@holdfast/pop/resource/node'

/** A client's own https server, behind whose address its keys lie. */
export interface KeyServer {
  readonly uri: string
  /** PEM of the CA of its certificate. */
  readonly ca: string
  /** What it answers: a JWK set, or a status. */
  answer: object | number
  /** The requests so far. */
  readonly asked: number
  close(): Promise<void>
}

/** Starts a key server on localhost. */
export async function startKeyServer(): Promise<KeyServer> {
  const authority = await createCertificateAuthority({ name: 'Key server', keyType: 'P-256' })
  const pair = await issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  let asked = 0
  let answer: object | number = { keys: [] }
  const server = createServer({ ...tlsOptions, cert: pair.certificate, key: pair.key }, (_, response) => {
    asked++
    const status = typeof answer === 'number' ? answer : 200
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close', location: '/elsewhere' })
    response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const address = server.address()
  return {
    uri: `https://localhost:${typeof address === 'object' && address ? address.port : 0}/keys`,
    ca: authority.certificate,
    get asked() {
      return asked
    },
    get answer() {
      return answer
    },
    set answer(next) {
      answer = next
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
