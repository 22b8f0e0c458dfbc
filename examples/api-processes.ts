// An API in several processes of one machine, which pages of browsers call too: start it more than once, each with a PORT.
// All share a file that remembers proofs and a key that makes nonces; clients reach them at ORIGIN.
// Start the servers first: npm run dev. Make the key: head -c 32 /dev/urandom > .holdfast/api-nonce.key
// Then: NODE_EXTRA_CA_CERTS=.holdfast/tls/ca.pem npx node examples/api-processes.ts
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { corsHeaders, createGuard, createSqliteReplay, protect, tlsOptions } from '@holdfast/pop/resource/node'

const {
  ISSUER = 'https://localhost:5001',
  API = 'https://localhost:5003',
  PORT = '5005',
  ORIGIN = `https://localhost:${PORT}`,
  TLS = '.holdfast/tls/server',
  REPLAY = '.holdfast/api-replay.db',
  NONCE_KEY = '.holdfast/api-nonce.key',
  WEB = 'https://app.example.com',
} = process.env

const guard = createGuard({
  issuer: ISSUER,
  identifier: API,
  origin: ORIGIN,
  methods: ['dpop'],
  dpop: { nonces: 'required', nonceKey: readFileSync(NONCE_KEY), replay: createSqliteReplay(REPLAY) },
})

const guarded = protect(guard, (_request, response, { token }) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ hello: token.clientId, scope: token.scope }))
})

const tls = { ...tlsOptions, cert: readFileSync(`${TLS}.pem`), key: readFileSync(`${TLS}.key`) }
const server = createServer(tls, (request, response) => {
  share(response)
  if (request.method === 'OPTIONS') response.writeHead(204).end()
  else guarded(request, response)
})
server.listen(Number(PORT), 'localhost', () => console.log(`listening on https://localhost:${PORT}`))

/** CORS is the API's own: it reaches preflights, which carry no token, and refusals with their nonces. */
function share(response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', WEB)
  response.setHeader('access-control-allow-methods', 'GET, HEAD')
  response.setHeader('access-control-allow-headers', corsHeaders.allowedHeaders.join(', '))
  response.setHeader('access-control-expose-headers', corsHeaders.exposedHeaders.join(', '))
}
