import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { AccessToken } from '../../client/access-token.ts'
import type { IdTokenClaims } from '../../client/authorization/id-token.ts'
import type { AuthorizationRequest } from '../../client/authorization/request.ts'
import { createSession, type Session } from '../../client/authorization/session.ts'
import { ClientError } from '../../client/client-error.ts'
import { type ClientContext, webContext } from '../../client/context.ts'
import type { ProtectedFetch } from '../../client/protected-fetch.ts'
import type { TokenScope } from '../../client/tokens.ts'
import type { Clock, Seconds } from '../../foundation/clock.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Awaitable } from '../../foundation/primitives.ts'
import type { ProofKey } from '../../proof/dpop.ts'
import { createClientCertificate } from '../certificates/make.ts'
import { factsOf } from '../certificates/read.ts'
import { generateProofKey, proofKeyOf } from '../proof-key.ts'
import { openBrowser } from './browser.ts'
import { createClient, isEnding, type NodeClient, type NodeClientOptions } from './client.ts'
import type { KeptSignIn, KeyStore } from './key-file.ts'
import { type LoopbackOptions, openLoopback } from './loopback.ts'
import type { KeyPair } from './mutual-tls.ts'

/** A native application, and what it asks of whoever signs in. */
export interface SignInOptions
  extends NodeClientOptions,
    LoopbackOptions,
    Pick<AuthorizationRequest, 'prompt' | 'login_hint' | 'ui_locales'> {
  /** Shows the address to whoever signs in: the system's browser when left out. */
  readonly open?: (url: string) => Awaitable<void>
  /** Keeps key and refresh token, so that the next process needs no browser. */
  readonly keyStore?: KeyStore
  /** How long somebody may take to sign in. 300 when left out. */
  readonly patience?: Seconds
  /** Ends the waiting. */
  readonly signal?: AbortSignal
}

/** Somebody who signed in, for whom this application acts until it is closed. */
export interface SignedIn extends AsyncDisposable {
  /** Who it is, where `openid` was asked for. */
  readonly claims: IdTokenClaims | undefined
  readonly session: Session
  readonly fetch: ProtectedFetch
  readonly token: (wanted?: TokenScope) => Promise<AccessToken>
  /** Asks for a new token now. */
  readonly refresh: (wanted?: TokenScope) => Promise<AccessToken>
  /** Asks the server who it is. OpenID Connect Core §5.3. */
  readonly userinfo: () => Promise<JsonObject>
  readonly certificate: NodeClient['certificate']
  /** Ends what was allowed, at the server and in the key store. The application goes on as nobody. */
  readonly revoke: () => Promise<void>
  /** Closes the connections. What was kept stays. */
  readonly close: () => Promise<void>
}

/**
 * Signs somebody in: opens the browser, waits on a loopback address for its answer, and exchanges the code by the key
 * of the certificate that began. RFC 8252.
 *
 * The certificate is made on the fly unless one is given, and renewed with its key, to which the refresh token is
 * bound; with `binding: 'dpop'` it is the key of proofs that is made and kept. What a key store holds is used first; the
 * browser is opened when the server does not take it any more, or when another scope is asked for.
 *
 * @example
 * await using alice = await signIn({ issuer: 'https://localhost:5001', client_id: 'native', scope: 'openid api1', ca })
 * const response = await alice.fetch('https://localhost:5003/identity')
 * @throws {@link ClientError} `browser_unavailable`, `authorization_expired`, `authorization_refused`,
 *   `key_file_unusable`, and those of the answer and of the token request
 */
export async function signIn(options: SignInOptions, context: Partial<ClientContext> = {}): Promise<SignedIn> {
  const { issuer, client_id, scope = '', keyStore } = options
  const binding = options.binding ?? (options.proofKey ? 'dpop' : 'certificate')
  const { now } = { ...webContext(), ...context }
  const found = await keyStore?.read()
  const kept = found?.issuer === issuer && found.client_id === client_id ? found : undefined
  let pair = kept?.certificate
  let ownKey = kept?.proofKey
  let session: Session | undefined

  const keep = async (refresh_token = session?.refresh_token): Promise<void> => {
    if (refresh_token === undefined) return
    const about = { issuer, client_id, scope, claims: session?.claims }
    await keyStore?.write({ ...about, refresh_token, certificate: pair, proofKey: ownKey })
  }
  const made = async (): Promise<KeyPair> => {
    if (pair && !isDue(pair, now)) return pair
    const key = pair && { key: pair.key }
    pair = await createClientCertificate({ name: client_id, keyType: 'P-256', ...key }, { now })
    await keep()
    return pair
  }
  const madeKey = async (): Promise<ProofKey> => {
    ownKey ??= { alg: 'ES256', key: pemOf(await generateProofKey('ES256')) }
    return proofKeyOf(createPrivateKey(ownKey.key), ownKey.alg)
  }
  const { certificate = binding === 'certificate' ? made : undefined } = options
  const { proofKey = binding === 'dpop' ? madeKey : undefined } = options
  const client = createClient(
    { ...options, binding, ...(certificate && { certificate }), ...(proofKey && { proofKey }) },
    context,
  )
  try {
    session = (await resume(client, kept, { scope, keep })) ?? (await byBrowser(client, options, keep))
    await keep()
    return signedIn(client, session, keyStore)
  } catch (error) {
    await client.close()
    throw error
  }
}

type Keep = (refresh_token: string) => Promise<void>

/** The sign-in that was kept, when it is for this and the server still takes it. */
async function resume(
  client: NodeClient,
  kept: KeptSignIn | undefined,
  { scope, keep }: { readonly scope: string; readonly keep: Keep },
): Promise<Session | undefined> {
  if (kept?.scope !== scope) return undefined
  const session = createSession({ ...kept, keep })
  try {
    await client.token({ session })
    return session
  } catch (cause) {
    if (cause instanceof ClientError && cause.reason === 'sign_in_required') return undefined
    throw cause
  }
}

async function byBrowser(client: NodeClient, options: SignInOptions, keep: Keep): Promise<Session> {
  const { scope, resource, prompt, login_hint, ui_locales, open = openBrowser, patience = 300, signal } = options
  const loopback = await openLoopback(options)
  try {
    const request = { scope, resource, prompt, login_hint, ui_locales, redirect_uri: loopback.redirectUri }
    const { url, ...pending } = await client.authorize(request)
    const arrived = loopback.receive(pending.state, { patience, signal })
    const opened = (async () => {
      await open(url)
      return await arrived
    })()
    const { answer, respond } = await Promise.race([arrived, opened])
    try {
      const session = await client.redeem(answer, pending, { keep })
      respond('done')
      return session
    } catch (error) {
      respond('failed')
      throw error
    }
  } finally {
    await loopback.close()
  }
}

function signedIn(client: NodeClient, session: Session, keyStore: KeyStore | undefined): SignedIn {
  return {
    claims: session.claims,
    session,
    fetch: (input, init, wanted) => client.fetch(input, init, { ...wanted, session }),
    token: (wanted) => client.token({ ...wanted, session }),
    refresh: (wanted) => client.renew({ ...wanted, session }),
    userinfo: () => client.userinfo(session),
    certificate: client.certificate,
    revoke: async () => {
      await keyStore?.remove()
      await client.signOut(session)
    },
    close: client.close,
    [Symbol.asyncDispose]: client.close,
  }
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }))
}

function isDue({ certificate }: KeyPair, now: Clock): boolean {
  return isEnding(factsOf(new X509Certificate(certificate).raw), now())
}
