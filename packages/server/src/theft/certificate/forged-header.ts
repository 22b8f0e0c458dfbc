import { X509Certificate } from 'node:crypto'
import { present } from '../judge.ts'
import type { Attempt, Theft } from '../theft.ts'
import { namesake } from './same-name.ts'

/**
 * The owner's certificate in the headers in which proxies pass one on, sent by the thief instead of a proxy. It is
 * public: who takes it from just anybody takes the token from just anybody. RFC 9440 §4.
 */
export const forgedHeader: Theft = {
  name: 'forged header',
  against: 'certificate',
  says: "owner's certificate in a header",
  async attempt(loot) {
    const certificate = new X509Certificate(loot.certificate ?? (await namesake(loot)).certificate)
    const attempts: Attempt[] = []
    for (const [variant, value] of Object.entries(headersOf(certificate))) {
      attempts.push({ ...(await present(loot, {}, { [variant]: value })), variant })
    }
    return attempts
  },
}

/** How RFC 9440, nginx, Envoy, Apache, Traefik, AWS, Azure and Cloudflare write a client certificate. */
function headersOf(certificate: X509Certificate): Readonly<Record<string, string>> {
  const base64 = certificate.raw.toString('base64')
  const escaped = encodeURIComponent(certificate.toString())
  const hex = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  return {
    'Client-Cert': `:${base64}:`,
    'X-SSL-CERT': escaped,
    'ssl-client-cert': escaped,
    SSL_CLIENT_CERT: escaped,
    'X-SSL-Client-Cert': escaped,
    'X-Client-Cert': base64,
    'X-Forwarded-Client-Cert': `Hash=${hex};Cert="${escaped}";Subject="${certificate.subject.replaceAll('\n', ',')}";URI=`,
    'X-Forwarded-Tls-Client-Cert': base64,
    'X-Amzn-Mtls-Clientcert-Leaf': escaped,
    'X-ARR-ClientCert': base64,
    'Cf-Client-Cert-Der-Base64': base64,
    'X-SSL-Client-SHA256': hex,
  }
}
