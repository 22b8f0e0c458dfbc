import { createServer } from 'node:https'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { client, materials, serve } from '../target.ts'

const { certificate: cert, key, port } = materials()

/** The limit: the same answer, nothing guarded. */
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, (_, response) => {
  const body = JSON.stringify({ client: client.client_id })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length) })
  response.end(body)
})
server.listen(port, '127.0.0.1', () => serve())
