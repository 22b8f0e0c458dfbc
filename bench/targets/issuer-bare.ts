import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { api, client, materials, serve } from '../target.ts'

const { certificate: cert, key, port } = materials()
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'bare' })).toString('base64url')
const thumbprints = new WeakMap<object, string>()

/** The limit: signs and answers, looks at nothing. */
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, (request, response) => {
  request.resume()
  request.on('end', () => {
    const iat = Math.floor(Date.now() / 1000)
    const claims = {
      iss: `https://localhost:${port}`,
      exp: iat + 3600,
      aud: api,
      sub: client.client_id,
      client_id: client.client_id,
      iat,
      jti: randomUUID(),
      scope: 'api1',
      cnf: { 'x5t#S256': thumbprint(request.socket as TLSSocket) },
    }
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    )
    response.setHeader('content-type', 'application/json')
    response.setHeader('cache-control', 'no-store')
    response.end(
      JSON.stringify({ access_token: `${input}.${signature}`, token_type: 'Bearer', expires_in: 3600, scope: 'api1' }),
    )
  })
})
server.listen(port, '127.0.0.1', () => serve())

function thumbprint(socket: TLSSocket): string {
  const known = thumbprints.get(socket)
  if (known) return known
  const found = createHash('sha256')
    .update(socket.getPeerX509Certificate()?.raw ?? '')
    .digest('base64url')
  thumbprints.set(socket, found)
  return found
}
