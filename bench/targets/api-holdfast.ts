import { createServer } from 'node:https'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import { api, materials, serve } from '../target.ts'

const { certificate: cert, key, issuer, port } = materials()
const guard = createGuard({ issuer, identifier: api, origin: `https://localhost:${port}` })
const server = createServer(
  { ...clientCertificateTlsOptions, cert, key },
  protect(guard, (_, response, { token }) => {
    const body = JSON.stringify({ client: token.clientId })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length) })
    response.end(body)
  }),
)
server.listen(port, '127.0.0.1', () => serve())
