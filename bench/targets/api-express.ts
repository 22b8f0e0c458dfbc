import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { api, materials, serve } from '../target.ts'

const { certificate: cert, key, issuer, port } = materials()
const app = express()
app.use(
  auth({
    issuer,
    jwksUri: `${issuer}/jwks`,
    audience: api,
    tokenSigningAlg: 'ES256',
    getCertificate: (request: unknown) =>
      ((request as IncomingMessage).socket as TLSSocket).getPeerX509Certificate()?.raw,
    mtls: { required: true },
  }),
)
app.get('/', (request: unknown, response: unknown) => {
  const { auth: verified } = request as { auth?: { payload: { client_id?: unknown } } }
  ;(response as { json(body: object): void }).json({ client: verified?.payload.client_id })
})
createServer({ ...clientCertificateTlsOptions, cert, key }, app).listen(port, '127.0.0.1', () => serve())
