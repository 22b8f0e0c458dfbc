import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { createServer } from 'node:https'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { client, materials, serve } from '../target.ts'

const { certificate: cert, key, port } = materials()
let proofKey: KeyObject | undefined

/** The limit with DPoP: the same answer, one signature checked, nothing else looked at. */
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, ({ headers }, response) => {
  const [header = '', claims = '', signature = ''] = String(headers.dpop).split('.')
  proofKey ??= createPublicKey({ format: 'jwk', key: JSON.parse(Buffer.from(header, 'base64url').toString()).jwk })
  const isSigned = verify(
    'sha256',
    Buffer.from(`${header}.${claims}`),
    { key: proofKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  const body = JSON.stringify({ client: client.client_id })
  response.writeHead(isSigned ? 200 : 401, {
    'content-type': 'application/json',
    'content-length': String(body.length),
  })
  response.end(body)
})
server.listen(port, '127.0.0.1', () => serve())
