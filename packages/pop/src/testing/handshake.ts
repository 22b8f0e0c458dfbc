import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { PresentedCertificate } from '../foundation/certificate-facts.ts'
import type { CertificatePair } from '../node/certificates/make.ts'
import { issueCertificate } from '../node/certificates/make.ts'
import { readPeerCertificate } from '../node/resource/peer-certificate.ts'
import { clientCertificateTlsOptions } from '../node/resource/tls-options.ts'

/**
 * Presents a certificate in a real TLS handshake on the loopback, and gives what the server saw of it.
 * @returns undefined when no certificate arrived
 */
export async function presentInHandshake(
  pair?: Pick<CertificatePair, 'certificate' | 'key'>,
): Promise<PresentedCertificate | undefined> {
  const { certificate: cert, key } = await issueCertificate({
    subject: 'localhost',
    keyType: 'P-256',
    dns: ['localhost'],
  })
  let seen: PresentedCertificate | undefined
  const server = createServer({ ...clientCertificateTlsOptions, cert, key }, ({ socket }, response) => {
    seen = readPeerCertificate(socket)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await new Promise<void>((resolve, reject) => {
      const identity = pair ? { cert: pair.certificate, key: pair.key } : {}
      request({ host: '127.0.0.1', port, servername: 'localhost', ca: cert, agent: false, ...identity }, (response) => {
        response.resume().on('end', resolve)
      })
        .on('error', reject)
        .end()
    })
  } finally {
    server.close()
  }
  return seen
}
