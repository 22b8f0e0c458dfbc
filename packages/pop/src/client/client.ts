import type { Seconds } from '../foundation/clock.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import type { ProofKey } from '../proof/dpop.ts'
import type { AccessToken, Binding } from './access-token.ts'
import { type ClientAuthentication, clientSecret, none } from './authentication.ts'
import type { Authorization, AuthorizationRequest, PendingAuthorization } from './authorization/request.ts'
import { createSession, type Session, type SessionOptions } from './authorization/session.ts'
import { createCodeFlow } from './authorization.ts'
import { ClientError } from './client-error.ts'
import { type ClientContext, type Fetch, webContext } from './context.ts'
import { createEndpoints, type Form } from './endpoints.ts'
import { exchange } from './exchange.ts'
import { clientCredentials, findRefreshToken, refreshing } from './grant.ts'
import { createProtectedFetch, type ProtectedFetch } from './protected-fetch.ts'
import { createProver } from './prover.ts'
import { createTokens, type TokenScope, type Tokens } from './tokens.ts'

/** What a token is asked for, and in whose name. */
export interface TokenRequest extends TokenScope {
  /** The client acts for whoever signed in, with all that they allowed unless less is asked for. */
  readonly session?: Session | undefined
}

/** What a client is and wants. */
export interface ClientOptions extends TokenScope {
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
   * `certificate`, `dpop`: a token that is not bound to this client's certificate, or to its `proofKey`, is an error.
   * `none`: any token will do. When left out, `dpop` where there is a `proofKey`, else `certificate` where there is one.
   */
  readonly binding?: 'certificate' | 'dpop' | 'none'
  /** Signs the proofs that go with every request. RFC 9449. */
  readonly proofKey?: ProofKey | undefined
  /** For a token and all that leads to it. 30 when left out. */
  readonly timeout?: Seconds
}

/** A client of one authorization server, and of the APIs that take its tokens. */
export interface Client {
  /** A `fetch` that brings the token. */
  readonly fetch: ProtectedFetch<TokenRequest>
  /** The token that `fetch` brings: kept, renewed in time, one request however many ask. */
  readonly token: (wanted?: TokenRequest) => Promise<AccessToken>
  /** Asks for a new token, whatever is kept. */
  readonly renew: (wanted?: TokenRequest) => Promise<AccessToken>
  /** Begins a sign-in: the browser goes to the `url`, the rest is kept for the answer. RFC 6749 §4.1. */
  readonly authorize: (request: AuthorizationRequest) => Promise<Authorization>
  /** Ends a sign-in with what the browser brought back. An answer is taken once. */
  readonly redeem: (
    answer: URLSearchParams,
    pending: PendingAuthorization,
    options?: Pick<SessionOptions, 'keep' | 'shared'>,
  ) => Promise<Session>
  /** Asks the server about whoever signed in. OpenID Connect Core §5.3. */
  readonly userinfo: (session: Session) => Promise<JsonObject>
  /** Ends what somebody allowed, at the server and here. RFC 7009. */
  readonly signOut: (session: Session) => Promise<void>
  /**
   * Where a browser goes so that its person is signed out at the server too. OpenID Connect RP-Initiated Logout 1.0 §2.
   * @returns undefined when the server has no such page
   */
  readonly signOutUrl: (session: Session, post_logout_redirect_uri?: string) => Promise<string | undefined>
  /** Ends a token's life. RFC 7009. */
  readonly revoke: (token: AccessToken | string) => Promise<void>
  /** Asks the server what it knows of a token. RFC 7662. */
  readonly introspect: (token: AccessToken | string) => Promise<Introspection>
}

/** What an authorization server says of a token. RFC 7662 §2.2. */
export type Introspection = JsonObject & { readonly active: boolean }

/**
 * Creates a client over any `fetch`. Nothing is sent before the first call.
 * @throws {@link ClientError} `issuer_malformed`, `certificate_missing`, `proof_key_missing`
 */
export function createClient(options: ClientOptions, context: Partial<ClientContext> = {}): Client {
  const { issuer, client_id, client_secret, certificate, proofKey, scope, resource, timeout = 30 } = options
  const binding = options.binding ?? (proofKey ? 'dpop' : certificate ? 'certificate' : 'none')
  if (binding === 'certificate' && !certificate) throw new ClientError('certificate_missing')
  if (binding === 'dpop' && !proofKey) throw new ClientError('proof_key_missing')
  const authentication = options.authentication ?? (client_secret === undefined ? none() : clientSecret(client_secret))
  const world = { ...webContext(), ...context }
  const hasCertificate = certificate !== undefined
  // Nonces of the authorization server are no use at an API, even at the same origin. RFC 9449 §9.
  const newProver = () => (binding === 'dpop' && proofKey ? createProver(proofKey, world) : undefined)
  const [prover, apiProver] = [newProver(), newProver()]
  const required = async (): Promise<Binding> => {
    if (prover) return { member: 'jkt', thumbprint: await prover.thumbprint() }
    return certificate && binding !== 'none' ? { member: 'x5t#S256', thumbprint: certificate.thumbprint } : 'none'
  }
  const endpoints = createEndpoints({ issuer, client_id, authentication, hasCertificate, prover, timeout }, world)
  const flow = createCodeFlow({ client_id, endpoints, prover, timeout }, world)
  const own = createTokens(required, clientCredentials(endpoints), world)
  const sessions = new WeakMap<Session, Tokens>()

  const tokensOf = (session: Session): Tokens => {
    const known = sessions.get(session)
    if (known) return known
    const tokens = createTokens(required, refreshing(session, endpoints, binding !== 'none'), world)
    sessions.set(session, tokens)
    return tokens
  }

  /** What is wanted of whom: a session's tokens have all that was allowed, the client's own what its options say. */
  const resolve = ({ session, ...wanted }: TokenRequest = {}): readonly [Tokens, TokenScope] =>
    session ? [tokensOf(session), wanted] : [own, { scope, resource, ...wanted }]

  const revoke = (token: string, hint: Form = []) => endpoints.post('revocation_endpoint', [['token', token], ...hint])

  return {
    fetch: (input, init, request) => {
      const [tokens, wanted] = resolve(request)
      return createProtectedFetch(tokens, world.fetch, apiProver)(input, init, wanted)
    },
    token: (request) => {
      const [tokens, wanted] = resolve(request)
      return tokens.obtain(wanted)
    },
    renew: (request) => {
      const [tokens, wanted] = resolve(request)
      return tokens.renew(wanted)
    },
    authorize: (request) => flow.begin(request),
    redeem: async (received, pending, { keep, shared } = {}) => {
      const { answer, claims } = await flow.redeem(received, pending)
      const { id_token } = answer.json ?? {}
      const session = createSession({
        claims,
        keep,
        shared,
        refresh_token: findRefreshToken(answer),
        id_token: typeof id_token === 'string' ? id_token : undefined,
      })
      await tokensOf(session).take({}, answer)
      return session
    },
    userinfo: async (session) => {
      const request = { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(timeout * 1000) }
      const bringing = createProtectedFetch(tokensOf(session), world.fetch, prover)
      const fetch: Fetch = (input, init) => bringing(input, init)
      const { status, json } = await exchange(await endpoints.address('userinfo_endpoint'), request, { fetch })
      if (status !== 200 || !json) throw new ClientError('response_malformed', { status, detail: 'userinfo_endpoint' })
      if (session.claims && json.sub !== session.claims.sub) throw new ClientError('person_unexpected')
      return json
    },
    signOut: async (session) => {
      const { refresh_token } = session
      const tokens = sessions.get(session)
      sessions.delete(session)
      if (refresh_token !== undefined) {
        session.end()
        await revoke(refresh_token, [['token_type_hint', 'refresh_token']])
      } else if (tokens) await tokens.obtain({}).then(({ access_token }) => revoke(access_token), ignoreEnded)
    },
    signOutUrl: async ({ id_token }, post_logout_redirect_uri) => {
      const { end_session_endpoint } = await endpoints.metadata()
      if (end_session_endpoint === undefined) return undefined
      const url = new URL(end_session_endpoint)
      const parameters = { client_id, id_token_hint: id_token, post_logout_redirect_uri }
      for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value)
      return url.href
    },
    revoke: async (token) => {
      const value = textOf(token)
      own.forget(value)
      await revoke(value)
    },
    introspect: async (token) => {
      const { json } = await endpoints.post('introspection_endpoint', [['token', textOf(token)]])
      if (!isIntrospection(json)) throw new ClientError('response_malformed', { detail: 'It does not say active.' })
      return json
    },
  }
}

/** A session whose tokens have all ended needs no revocation. */
function ignoreEnded(cause: unknown): void {
  if (!(cause instanceof ClientError && cause.reason === 'sign_in_required')) throw cause
}

function textOf(token: AccessToken | string): string {
  return typeof token === 'string' ? token : token.access_token
}

function isIntrospection(json: unknown): json is Introspection {
  return isJsonObject(json) && typeof json.active === 'boolean'
}
