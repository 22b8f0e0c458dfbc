export { createGuard } from './node/resource/guard.ts'
export { protect } from './node/resource/node.ts'
export { type PeerSocket, readPeerCertificate } from './node/resource/peer-certificate.ts'
export { clientCertificateTlsOptions, tlsOptions } from './node/resource/tls-options.ts'
