import { createAuthorizationServer } from 'holdfast'
import { api, client, dpopClient, materials, serve } from '../target.ts'

const { folder, certificate, key, port } = materials()
const server = await createAuthorizationServer(
  {
    issuer: `https://localhost:${port}`,
    layout: 'single',
    listen: { public: { port, host: '127.0.0.1', certificate, key } },
    apis: [{ identifier: api, scopes: ['api1'] }],
    dpop: { proofsPerMinute: 100_000_000 },
    clients: [
      { ...client, token_endpoint_auth_method: 'client_secret_post', tls_client_certificate_bound_access_tokens: true },
      { ...dpopClient, token_endpoint_auth_method: 'client_secret_post', dpop_bound_access_tokens: true },
    ],
  },
  { directory: folder },
)
await server.listen()
serve()
