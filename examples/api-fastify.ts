// An API on Fastify that takes only access tokens that are bound to a key: the certificate of the connection, or a DPoP key.
// Start the servers first: npm run dev. Then: NODE_EXTRA_CA_CERTS=.holdfast/tls/ca.pem npx node examples/api-fastify.ts
import { readFileSync } from 'node:fs'
import { clientCertificateTlsOptions, createGuard, protect, verdictOf } from '@holdfast/pop/resource/fastify'
import { fastify } from 'fastify'

const {
  ISSUER = 'https://localhost:5001',
  API = 'https://localhost:5003',
  PORT = '5005',
  TLS = '.holdfast/tls/server',
} = process.env
const guard = createGuard({ issuer: ISSUER, identifier: API, origin: `https://localhost:${PORT}` })

const tls = { ...clientCertificateTlsOptions, cert: readFileSync(`${TLS}.pem`), key: readFileSync(`${TLS}.key`) }
const app = fastify({ https: tls })
app.addHook('onRequest', protect(guard))
app.get('/', async (request) => {
  const { token } = verdictOf(request)
  return { hello: token.clientId, scope: token.scope }
})
app.get('/all', { onRequest: protect(guard, { scope: 'all' }) }, async () => ({ all: true }))

await app.listen({ port: Number(PORT), host: 'localhost' })
console.log(`listening on https://localhost:${PORT}`)
