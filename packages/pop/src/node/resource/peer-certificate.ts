import type { PresentedCertificate } from '../../foundation/certificate-facts.ts'
import { Refused } from '../../oauth/refusal.ts'

/** What is read of a certificate: `X509Certificate` fits. */
export interface PeerCertificate {
  readonly raw: { toString(encoding: 'base64'): string }
  readonly issuerCertificate?: PeerCertificate | undefined
}

/** What is asked of a TLS connection; a plain one has none of it. */
export interface PeerSocket {
  /** Every socket has it: without a member in common a plain one would not fit the type. */
  readonly destroyed?: boolean
  getPeerX509Certificate?(): PeerCertificate | undefined
  isSessionReused?(): boolean
}

const longestChain = 10
const known = new WeakMap<PeerSocket, PresentedCertificate | Refused | 'none'>()

/**
 * Reads the certificates that a connection presented, once per connection: the chain is built anew at every look, and
 * is gone when the connection is.
 * @throws {@link Refused} `certificate_chain_too_long`
 */
export function readPeerCertificate(socket: PeerSocket): PresentedCertificate | undefined {
  return keepPeerCertificate(socket)()
}

/** As {@link readPeerCertificate}: reads at once, and refuses when asked, since certificates that do not count may be anything. */
export function keepPeerCertificate(socket: PeerSocket): () => PresentedCertificate | undefined {
  const found = known.get(socket) ?? read(socket)
  known.set(socket, found)
  return () => {
    if (found instanceof Refused) throw found
    return found === 'none' ? undefined : found
  }
}

function read(socket: PeerSocket): PresentedCertificate | Refused | 'none' {
  const chain: string[] = []
  let certificate = socket.getPeerX509Certificate?.()
  while (certificate) {
    if (chain.length === longestChain) return new Refused('certificate_chain_too_long')
    chain.push(certificate.raw.toString('base64'))
    certificate = certificate.issuerCertificate
  }
  if (chain.length === 0) return 'none'
  return { chain, from: 'tls', ...(socket.isSessionReused?.() ? { resumed: true } : {}) }
}
