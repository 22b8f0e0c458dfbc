export { corsHeaders, verdictOf } from './node/resource/exchange.ts'
export { type ExpressRequest, protect } from './node/resource/express.ts'
export { createGuard } from './node/resource/guard.ts'
export { clientCertificateTlsOptions, tlsOptions } from './node/resource/tls-options.ts'
