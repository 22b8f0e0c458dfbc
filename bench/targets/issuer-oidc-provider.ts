import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:https'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import Provider from 'oidc-provider'
import { api, caller, client, dpopClient, materials, referenceClient, serve } from '../target.ts'

const { certificate: cert, key, port } = materials()
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const common = {
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_post',
  id_token_signed_response_alg: 'ES256',
} as const
const provider = new Provider(`https://localhost:${port}`, {
  clients: [
    { ...client, ...common, tls_client_certificate_bound_access_tokens: true },
    { ...referenceClient, ...common, tls_client_certificate_bound_access_tokens: true },
    { ...caller, ...common, grant_types: [] },
    { ...dpopClient, ...common, dpop_bound_access_tokens: true },
  ],
  jwks: { keys: [{ ...signing, alg: 'ES256', use: 'sig' }] },
  scopes: ['api1'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    dPoP: { enabled: true, allowReplay: false },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx: { socket: { getPeerX509Certificate(): unknown } }) => ctx.socket.getPeerX509Certificate(),
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => api,
      getResourceServerInfo: (_: unknown, __: unknown, { clientId }: { clientId: string }) => ({
        scope: 'api1',
        audience: api,
        accessTokenFormat: clientId === referenceClient.client_id ? 'opaque' : 'jwt',
        accessTokenTTL: 3600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})
provider.on('grant.error', (_: unknown, error: Error) => console.error(error))
provider.on('server_error', (_: unknown, error: Error) => console.error(error))
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, provider.callback())
server.listen(port, '127.0.0.1', () => serve())
