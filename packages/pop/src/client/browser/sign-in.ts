import { encodeBase64url } from '../../foundation/base64url.ts'
import { isJsonObject, type JsonObject } from '../../foundation/json.ts'
import type { AccessToken } from '../access-token.ts'
import type { IdTokenClaims } from '../authorization/id-token.ts'
import type { AuthorizationRequest, PendingAuthorization } from '../authorization/request.ts'
import { longestAuthorization } from '../authorization/response.ts'
import { createSession, type Session, type SessionOptions } from '../authorization/session.ts'
import { type Client, type ClientOptions, createClient } from '../client.ts'
import { ClientError } from '../client-error.ts'
import { type ClientContext, webContext } from '../context.ts'
import type { ProtectedFetch } from '../protected-fetch.ts'
import type { TokenScope } from '../tokens.ts'
import type { BrowserKeyStore } from './key-store.ts'

/** A page that signs people in, and what it asks of them. */
export interface BrowserSignInOptions
  extends Pick<ClientOptions, 'issuer' | 'client_id' | 'timeout'>,
    Pick<AuthorizationRequest, 'redirect_uri' | 'scope' | 'resource'> {
  /** Its key signs the proofs; the sign-in under way and the session are kept beside it. */
  readonly store: BrowserKeyStore
}

/** The sign-in of a page that has no server of its own. */
export interface BrowserSignIn {
  /** Begins a sign-in. @returns where the page goes: `location.assign(address)` */
  readonly begin: (request?: Pick<AuthorizationRequest, 'prompt' | 'login_hint' | 'ui_locales'>) => Promise<string>
  /**
   * Takes what the browser brought to `redirect_uri`, once.
   * @param address of this page: `location.href`
   * @returns undefined when the address holds no answer
   * @throws {@link ClientError} `state_mismatch`, and those of the answer and of the token request
   */
  readonly complete: (address: string | URL) => Promise<SignedInHere | undefined>
  /** Goes on with whoever is signed in, after a reload or in another tab. @returns undefined when nobody is any more */
  readonly restore: () => Promise<SignedInHere | undefined>
}

/** Somebody who is signed in, for whom this page acts. */
export interface SignedInHere {
  /** Who it is, where `openid` was asked for. */
  readonly claims: IdTokenClaims | undefined
  readonly fetch: ProtectedFetch
  readonly token: (wanted?: TokenScope) => Promise<AccessToken>
  /** Asks for a new token now. */
  readonly refresh: (wanted?: TokenScope) => Promise<AccessToken>
  /** Asks the server who it is. OpenID Connect Core §5.3. */
  readonly userinfo: () => Promise<JsonObject>
  /**
   * Ends what was allowed, at the server and in all tabs. The key stays.
   * @returns where the browser goes to be signed out at the server too, where the server has such a page
   */
  readonly signOut: (post_logout_redirect_uri?: string) => Promise<string | undefined>
}

/** How many sign-ins can be under way in one browser. */
const places = 8

/**
 * Creates the sign-in. Refresh tokens are bound to the key of the store; where a server replaces them all the same, tabs
 * take turns by Web Locks, and each uses the newest.
 */
export function createBrowserSignIn(
  options: BrowserSignInOptions,
  context: Partial<ClientContext> = {},
): BrowserSignIn {
  const { issuer, client_id, timeout, redirect_uri, scope = '', resource, store } = options
  const { now, random } = { ...webContext(), ...context }
  const about = { issuer, client_id, ...(timeout !== undefined && { timeout }) }
  const client = createClient({ ...about, binding: 'dpop', proofKey: store.proofKey }, context)

  const isCurrent = (kept: unknown, id: string): kept is KeptSession => isKeptSession(kept) && kept.id === id

  /** A session of this store: its refresh token is the one that lies there, whichever tab has put it there. */
  const sharing = (id: string): Pick<SessionOptions, 'keep' | 'shared'> => ({
    keep: (refresh_token) =>
      store.change('session', (kept) => ({
        next: isCurrent(kept, id) ? { ...kept, refresh_token } : kept,
        result: undefined,
      })),
    shared: {
      exclusive: (turn) => exclusively(store.name, turn),
      latest: async () => {
        const kept = await store.find('session')
        return isCurrent(kept, id) ? kept.refresh_token : undefined
      },
    },
  })

  const forget = (id: string): Promise<KeptSession | undefined> =>
    store.change('session', (kept) => (isCurrent(kept, id) ? { result: kept } : { next: kept, result: undefined }))

  return {
    begin: async (request = {}) => {
      const { url, ...pending } = await client.authorize({ ...request, redirect_uri, scope, resource })
      await store.change('pending', (kept) => {
        const live = pendingOf(kept).filter(({ began }) => now() <= began + longestAuthorization)
        return { next: [...live.slice(1 - places), pending], result: undefined }
      })
      return url
    },
    complete: async (address) => {
      const answer = findAnswer(address, redirect_uri)
      if (!answer) return undefined
      const pending = await store.change('pending', (kept) => {
        const all = pendingOf(kept)
        const found = all.find(({ state }) => state === answer.get('state'))
        return { next: all.filter((each) => each !== found), result: found }
      })
      if (!pending) throw new ClientError('state_mismatch')
      const id = encodeBase64url(random(16))
      const session = await client.redeem(answer, pending, sharing(id))
      const { refresh_token, id_token, claims } = session
      const kept = { id, issuer, client_id, scope, refresh_token, id_token, claims }
      // Without a refresh token nothing outlives the page, an older session neither.
      await store.change('session', () => ({ next: refresh_token === undefined ? undefined : kept, result: undefined }))
      return signedIn(client, session, () => forget(id))
    },
    restore: async () => {
      const kept = await store.find('session')
      if (!isKeptSession(kept)) return undefined
      if (kept.issuer !== issuer || kept.client_id !== client_id || kept.scope !== scope) return undefined
      const session = createSession({ ...kept, ...sharing(kept.id) })
      try {
        await client.token({ session })
        return signedIn(client, session, () => forget(kept.id))
      } catch (cause) {
        if (!(cause instanceof ClientError && cause.reason === 'sign_in_required')) throw cause
        await forget(kept.id)
        return undefined
      }
    },
  }
}

/** What is kept of a session. */
interface KeptSession extends Pick<Session, 'claims' | 'id_token'> {
  readonly id: string
  readonly issuer: string
  readonly client_id: string
  readonly scope: string
  readonly refresh_token: string
}

function signedIn(client: Client, session: Session, forget: () => Promise<KeptSession | undefined>): SignedInHere {
  return {
    claims: session.claims,
    fetch: (input, init, wanted) => client.fetch(input, init, { ...wanted, session }),
    token: (wanted) => client.token({ ...wanted, session }),
    refresh: (wanted) => client.renew({ ...wanted, session }),
    userinfo: () => client.userinfo(session),
    signOut: async (post_logout_redirect_uri) => {
      const kept = await forget()
      const address = await client.signOutUrl(session, post_logout_redirect_uri)
      // Another tab may have got one in the place of ours.
      const newest = kept?.refresh_token ?? session.refresh_token
      if (newest !== undefined && newest !== session.refresh_token) await client.revoke(newest)
      await client.signOut(session)
      return address
    },
  }
}

/** The answer in the address of the page, when the page is where answers come to. */
function findAnswer(address: string | URL, redirect_uri: string): URLSearchParams | undefined {
  const [here, expected] = [new URL(address), new URL(redirect_uri)]
  const isThere = here.origin === expected.origin && here.pathname === expected.pathname
  const { searchParams } = here
  return isThere && (searchParams.has('code') || searchParams.has('error')) ? searchParams : undefined
}

/** Ours, since it lies in this origin's storage. */
function pendingOf(kept: unknown): readonly PendingAuthorization[] {
  return Array.isArray(kept) ? kept : []
}

function isKeptSession(kept: unknown): kept is KeptSession {
  return isJsonObject(kept) && typeof kept.id === 'string' && typeof kept.refresh_token === 'string'
}

/** One tab at a time, where the browser can say so. */
function exclusively<T>(name: string, turn: () => Promise<T>): Promise<T> {
  if (!('navigator' in globalThis && 'locks' in navigator)) return turn()
  return navigator.locks.request(`holdfast:${name}`, turn)
}
