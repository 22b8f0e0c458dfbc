import { hash, randomBytes, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SettingsInput } from 'holdfast'
import { type Answer, api, baseClients, type Form, type Harness, type Sent, startServer } from './harness.ts'

/** A second API, with another kind of scope. */
export const otherApi = 'https://other-api.test'

/** Where codes go. */
export const callback = 'https://web.test/callback'
export const loopback = 'http://127.0.0.1/callback'

const allScopes = 'openid profile email address phone offline_access api1 api2'
const forPeople = ['authorization_code', 'refresh_token'] as const

/** Clients that act for people, each with the least that it needs. */
export const peopleClients = [
  {
    client_id: 'web',
    client_secret: 'secret',
    grant_types: [...forPeople],
    redirect_uris: [callback],
    scope: allScopes,
  },
  {
    client_id: 'web-reference',
    client_secret: 'secret',
    grant_types: [...forPeople],
    redirect_uris: [callback],
    scope: allScopes,
    access_token_format: 'reference',
  },
  {
    client_id: 'native',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: [...forPeople],
    redirect_uris: [loopback],
    scope: allScopes,
  },
  {
    client_id: 'native-bound',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: [...forPeople],
    redirect_uris: [loopback],
    scope: allScopes,
    tls_client_certificate_bound_access_tokens: true,
  },
  {
    client_id: 'web-bound',
    client_secret: 'secret',
    grant_types: [...forPeople],
    redirect_uris: [callback],
    scope: allScopes,
    tls_client_certificate_bound_access_tokens: true,
  },
  {
    client_id: 'pairwise',
    client_secret: 'secret',
    subject_type: 'pairwise',
    grant_types: [...forPeople],
    redirect_uris: [callback],
    scope: allScopes,
  },
  {
    client_id: 'no-refresh',
    client_secret: 'secret',
    grant_types: ['authorization_code'],
    redirect_uris: [callback],
    scope: allScopes,
  },
] as const satisfies SettingsInput['clients']

/** Everything about a person that a scope can open. */
export const alice = {
  username: 'alice',
  password: 'alice',
  subject: 'user:alice',
  name: 'Alice Example',
  email: 'alice@example.com',
  email_verified: true,
  phone_number: '+49 30 1234',
  address: { locality: 'Berlin' },
} as const

/** A server with people and the clients that act for them. */
export function startPeopleServer(
  change: (settings: SettingsInput) => SettingsInput = (settings) => settings,
): Promise<Harness> {
  return startServer((settings) =>
    change({
      ...settings,
      apis: [...settings.apis, { identifier: otherApi, scopes: ['api2'] }],
      clients: [...baseClients, ...peopleClients],
      people: { directory: [alice, { username: 'bob', password: 'bob', subject: 'user:bob' }] },
    }),
  )
}

/** What a person allows a client, as the authorization endpoint leaves it. */
export interface Allowed {
  readonly client: string
  readonly subject: string
  readonly scope: string
  readonly resources: readonly string[]
  readonly details: readonly object[]
  readonly nonce: string
  readonly redirectUri: string
  readonly redirectUriGiven: boolean
  /** The certificate that was shown at PAR. */
  readonly certificate: { readonly certificate: string }
  /** Seconds that it has been a code for. */
  readonly age: number
}

/** A code, and what redeems it. */
export interface Code {
  readonly code: string
  readonly verifier: string
  readonly authorizationId: string
  /** The form of the valid token request of its client, without its authentication. */
  readonly form: Readonly<Record<string, string>>
}

/** Leaves an authorization and its code in the server's store: what is at rest after a consent. Stops the server's clock. */
export function allow({ directory, freeze }: Harness, allowed: Partial<Allowed> = {}): Code {
  const { client = 'web', subject = 'user:alice', scope = 'openid profile offline_access api1' } = allowed
  const { resources = [], details = [], nonce, redirectUriGiven = true, certificate, age = 0 } = allowed
  const redirectUri = allowed.redirectUri ?? (client.startsWith('native') ? loopback : callback)
  const [code, verifier, authorizationId] = [handle(), handle(), handle()]
  const created = freeze() - age
  const database = new DatabaseSync(join(directory, 'holdfast.db'), { timeout: 5000 })
  try {
    insert(database, 'authorization', {
      id: authorizationId,
      client_id: client,
      subject,
      scope,
      resources: JSON.stringify(resources),
      authorization_details: JSON.stringify(details),
      sid: 'sid',
      authenticated: created - 10,
      methods: '["pwd"]',
      nonce: nonce ?? null,
      created,
      expires: created + 2_592_000,
    })
    insert(database, 'code', {
      hash: sha256(code),
      authorization_id: authorizationId,
      client_id: client,
      redirect_uri: redirectUri,
      redirect_uri_given: redirectUriGiven ? 1 : 0,
      code_challenge: sha256(verifier),
      binding: certificate ? JSON.stringify({ publicKey: publicKeyOf(certificate) }) : null,
      expires: created + 60,
    })
  } finally {
    database.close()
  }
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
  return { code, verifier, authorizationId, form }
}

/** Whether a code is still there to be redeemed. */
export function isUnused({ directory }: Harness, { code }: Pick<Code, 'code'>): boolean {
  const database = new DatabaseSync(join(directory, 'holdfast.db'), { readOnly: true })
  try {
    return database.prepare('select redeemed from code where hash = ?').get(sha256(code))?.redeemed === null
  } finally {
    database.close()
  }
}

/** A token request of a client: with its secret, unless it is a native one. */
export function redeem(
  server: Harness,
  form: Form & Readonly<Record<string, string | undefined>>,
  { client = 'web', ...sent }: Partial<Sent> & { readonly client?: string } = {},
): Promise<Answer> {
  const secret = client.startsWith('native') ? {} : { client_secret: client === 'other' ? 'other-secret' : 'secret' }
  return server.post('/token', { client_id: client, ...secret, ...form }, sent)
}

/** What an API is told about a token, or its client when the API is none of the harness. */
export async function introspected(server: Harness, token: string): Promise<Answer['json']> {
  return (await server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })).json
}

/** The scope's API. */
export { api }

function handle(): string {
  return randomBytes(32).toString('base64url')
}

function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}

function publicKeyOf({ certificate }: { readonly certificate: string }): string {
  return hash('sha256', new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }), 'base64url')
}

function insert(database: DatabaseSync, table: string, row: Readonly<Record<string, string | number | null>>): void {
  const columns = Object.keys(row)
  database
    .prepare(`insert into "${table}" (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`)
    .run(...Object.values(row))
}
