import { X509Certificate } from 'node:crypto'
import type { ClientInput, SettingsInput } from '../settings.ts'
import { type Credentials, publicJwkOf } from './credentials.ts'

/** Where development listens. */
export interface Ports {
  readonly issuer: number
  readonly mutualTls: number
  readonly api: number
}

/** What the sample API authenticates with at introspection. */
export const apiCredentials = { client_id: 'api1', client_secret: 'api1-secret' } as const

/** Where the three servers of development are reached. */
export function originsOf({ issuer, mutualTls, api }: Ports) {
  const at = (port: number) => `https://localhost:${port}`
  return { issuer: at(issuer), mutualTls: at(mutualTls), api: at(api) } as const
}

/** The settings of the development server. Files are relative to its folder. */
export function developmentSettings(ports: Ports, credentials: Credentials): SettingsInput {
  const { issuer, api } = originsOf(ports)
  return {
    issuer,
    layout: 'port',
    listen: {
      public: { port: ports.issuer, host: 'localhost', certificate: 'tls/server.pem', key: 'tls/server.key' },
      mutualTls: { port: ports.mutualTls, host: 'localhost' },
    },
    mutualTls: {
      alwaysEmitConfirmationClaim: true,
      trustGroups: { development: { ca: 'tls/client-ca.pem' } },
    },
    apis: [{ identifier: api, scopes: ['api1'] }],
    clients: [
      ...clientsOf(credentials),
      { ...apiCredentials, client_name: 'The sample API', grant_types: [], introspects: [api] },
    ],
    store: { file: 'holdfast.db' },
  }
}

/** One client of each kind: the one of the seed page, and one for every other way to authenticate. */
function clientsOf({ pinned, assertion }: Credentials): readonly ClientInput[] {
  const certificate = new X509Certificate(pinned.certificate)
  return [
    { client_id: 'client', client_secret: 'secret', scope: 'api1' },
    {
      client_id: 'mtls',
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=mtls',
      trust_group: 'development',
      scope: 'api1',
    },
    {
      client_id: 'pinned',
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [{ ...publicJwkOf(pinned.certificate), x5c: [certificate.raw.toString('base64')] }] },
      scope: 'api1',
    },
    {
      client_id: 'assertion',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [publicJwkOf(assertion)] },
      scope: 'api1',
    },
    { client_id: 'reference', client_secret: 'secret', access_token_format: 'reference', scope: 'api1' },
  ]
}
