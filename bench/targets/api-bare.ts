import { createServer } from 'node:https'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { client, materials, serve } from '../target.ts'

const { certificate: cert, key, port } = materials()

/** The limit: the same answer, nothing guarded. */
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, (_, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ client: client.client_id }))
})
server.listen(port, '127.0.0.1', serve)
