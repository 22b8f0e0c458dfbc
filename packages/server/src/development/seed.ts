import { X509Certificate } from 'node:crypto'
import type { ClientInput, SettingsInput } from '../settings.ts'
import { type Credentials, publicJwkOf } from './credentials.ts'

/** Where development listens. */
export interface Ports {
  readonly issuer: number
  readonly mutualTls: number
  readonly api: number
  readonly web: number
}

/** What the sample API authenticates with at introspection. */
export const apiCredentials = { client_id: 'api1', client_secret: 'api1-secret' } as const

/** What the sample web page authenticates with, beside its certificate. */
export const webCredentials = { client_id: 'web', client_secret: 'web-secret' } as const

/** What the clients that act for people may ask for. */
export const peopleScope = 'openid profile email offline_access api1'

/** Where the four servers of development are reached. */
export function originsOf({ issuer, mutualTls, api, web }: Ports) {
  const at = (port: number) => `https://localhost:${port}`
  return { issuer: at(issuer), mutualTls: at(mutualTls), api: at(api), web: at(web) } as const
}

/** The settings of the development server. Files are relative to its folder. */
export function developmentSettings(ports: Ports, credentials: Credentials, nonces = false): SettingsInput {
  const { issuer, api, web } = originsOf(ports)
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
    apis: [
      {
        identifier: api,
        scopes: ['api1'],
        scopeDescriptions: { api1: { en: 'Call the sample API', de: 'Die Beispiel-API aufrufen' } },
      },
    ],
    people: { directory: [...people] },
    clients: [
      ...clientsOf(credentials),
      ...clientsForPeople(web),
      { ...apiCredentials, client_name: 'The sample API', grant_types: [], introspects: [api] },
    ],
    ...(nonces && { dpop: { nonces: 'required' } }),
    store: { file: 'holdfast.db' },
  }
}

/** Two people, whose passwords are their names: the issuer is on loopback, and nobody else can reach it. */
const people = [
  {
    username: 'alice',
    password: 'alice',
    name: 'Alice Adams',
    given_name: 'Alice',
    family_name: 'Adams',
    email: 'alice@example.com',
    email_verified: true,
  },
  { username: 'bob', password: 'bob', name: 'Bob Brown', email: 'bob@example.com', email_verified: false },
] as const

/** One client of each kind that acts for people. */
function clientsForPeople(web: string): readonly ClientInput[] {
  return [
    {
      client_id: 'native',
      client_name: 'Sample application',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
      scope: peopleScope,
    },
    {
      ...webCredentials,
      client_name: 'Sample web page',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${web}/callback`],
      post_logout_redirect_uris: [`${web}/`],
      scope: peopleScope,
    },
    {
      client_id: 'browser',
      client_name: 'Sample browser application',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${web}/browser/`],
      post_logout_redirect_uris: [`${web}/browser/`],
      web_origins: [web],
      dpop_bound_access_tokens: true,
      scope: peopleScope,
    },
    {
      client_id: 'device',
      client_name: 'Sample device',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      scope: peopleScope,
    },
  ]
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
