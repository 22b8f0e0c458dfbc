// An API on node:https that takes only access tokens that are bound to a key: the certificate of the connection, or a DPoP key.
// Start the servers first: npm run dev. Then: NODE_EXTRA_CA_CERTS=.holdfast/tls/ca.pem npx node examples/api-node.ts
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'

const {
  ISSUER = 'https://localhost:5001',
  API = 'https://localhost:5003',
  PORT = '5005',
  TLS = '.holdfast/tls/server',
} = process.env
const guard = createGuard({ issuer: ISSUER, identifier: API, origin: `https://localhost:${PORT}` })

const tls = { ...clientCertificateTlsOptions, cert: readFileSync(`${TLS}.pem`), key: readFileSync(`${TLS}.key`) }
const server = createServer(
  tls,
  protect(guard, (_request, response, { token }) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ hello: token.clientId, scope: token.scope }))
  }),
)
server.listen(Number(PORT), 'localhost', () => console.log(`listening on https://localhost:${PORT}`))
