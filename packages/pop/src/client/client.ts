import type { Seconds } from '../foundation/clock.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import type { AccessToken } from './access-token.ts'
import { type ClientAuthentication, clientSecret, none } from './authentication.ts'
import { ClientError } from './client-error.ts'
import { type ClientContext, webContext } from './context.ts'
import { createEndpoints } from './endpoints.ts'
import { createProtectedFetch, type ProtectedFetch } from './protected-fetch.ts'
import { createTokens, type TokenRequest } from './tokens.ts'

/** What a client is and wants. */
export interface ClientOptions extends TokenRequest {
  /** The authorization server: exactly the `issuer` of its metadata. */
  readonly issuer: string
  readonly client_id: string
  /** Sent the way that the server asks for. In place of `authentication`. */
  readonly client_secret?: string
  /** None when left out: a public client, or one whose certificate speaks for it. */
  readonly authentication?: ClientAuthentication
  /** The certificate that `fetch` presents. */
  readonly certificate?: { readonly thumbprint: string }
  /**
   * `certificate`: a token that is not bound to this client's certificate is an error. `none`: any token will do.
   * `certificate` when left out and there is one.
   */
  readonly binding?: 'certificate' | 'none'
  /** For a token and all that leads to it. 30 when left out. */
  readonly timeout?: Seconds
}

/** A client of one authorization server, and of the APIs that take its tokens. */
export interface Client {
  /** A `fetch` that brings the token. */
  readonly fetch: ProtectedFetch
  /** The token that `fetch` brings: kept, renewed in time, one request however many ask. */
  readonly token: (wanted?: TokenRequest) => Promise<AccessToken>
  /** Ends a token's life. RFC 7009. */
  readonly revoke: (token: AccessToken | string) => Promise<void>
  /** Asks the server what it knows of a token. RFC 7662. */
  readonly introspect: (token: AccessToken | string) => Promise<Introspection>
}

/** What an authorization server says of a token. RFC 7662 §2.2. */
export type Introspection = JsonObject & { readonly active: boolean }

/**
 * Creates a client over any `fetch`. Nothing is sent before the first call.
 * @throws {@link ClientError} `issuer_malformed`, `certificate_missing`
 */
export function createClient(options: ClientOptions, context: Partial<ClientContext> = {}): Client {
  const { issuer, client_id, client_secret, certificate, scope, resource, timeout = 30 } = options
  const binding = options.binding ?? (certificate ? 'certificate' : 'none')
  if (binding !== 'none' && !certificate) throw new ClientError('certificate_missing')
  const required = certificate && binding !== 'none' ? { 'x5t#S256': certificate.thumbprint } : 'none'
  const authentication = options.authentication ?? (client_secret === undefined ? none() : clientSecret(client_secret))
  const world = { ...webContext(), ...context }
  const hasCertificate = certificate !== undefined
  const endpoints = createEndpoints({ issuer, client_id, authentication, hasCertificate, timeout }, world)
  const tokens = createTokens(required, endpoints, world)
  const protectedFetch = createProtectedFetch(tokens, world.fetch)

  return {
    fetch: (input, init, wanted) => protectedFetch(input, init, { scope, resource, ...wanted }),
    token: (wanted) => tokens.obtain({ scope, resource, ...wanted }),
    revoke: async (token) => {
      const value = textOf(token)
      tokens.forget(value)
      await endpoints('revocation_endpoint', [['token', value]])
    },
    introspect: async (token) => {
      const { json } = await endpoints('introspection_endpoint', [['token', textOf(token)]])
      if (!isIntrospection(json)) throw new ClientError('response_malformed', { detail: 'It does not say active.' })
      return json
    },
  }
}

function textOf(token: AccessToken | string): string {
  return typeof token === 'string' ? token : token.access_token
}

function isIntrospection(json: unknown): json is Introspection {
  return isJsonObject(json) && typeof json.active === 'boolean'
}
