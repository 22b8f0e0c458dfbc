// An API on Express that takes only access tokens that are bound to a key: the certificate of the connection, or a DPoP key.
// Start the servers first: npm run dev. Then: NODE_EXTRA_CA_CERTS=.holdfast/tls/ca.pem npx node examples/api-express.ts
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { clientCertificateTlsOptions, createGuard, protect, verdictOf } from '@holdfast/pop/resource/express'
import express from 'express'

const {
  ISSUER = 'https://localhost:5001',
  API = 'https://localhost:5003',
  PORT = '5005',
  TLS = '.holdfast/tls/server',
} = process.env
const guard = createGuard({ issuer: ISSUER, identifier: API, origin: `https://localhost:${PORT}` })

const app = express()
app.use(protect(guard))
app.get('/', (request: object, response: Response) => {
  const { token } = verdictOf(request)
  response.json({ hello: token.clientId, scope: token.scope })
})
app.get('/all', protect(guard, { scope: 'all' }), (_request: object, response: Response) =>
  response.json({ all: true }),
)

const tls = { ...clientCertificateTlsOptions, cert: readFileSync(`${TLS}.pem`), key: readFileSync(`${TLS}.key`) }
const server = createServer(tls, app)
server.listen(Number(PORT), 'localhost', () => console.log(`listening on https://localhost:${PORT}`))

/** What is used of Express's own; a project has the types of @types/express instead. */
interface Response {
  json(body: unknown): void
}
