export { corsHeaders, verdictOf } from './node/resource/exchange.ts'
export { type FastifyReply, type FastifyRequest, protect } from './node/resource/fastify.ts'
export { createGuard } from './node/resource/guard.ts'
export { clientCertificateTlsOptions, tlsOptions } from './node/resource/tls-options.ts'
