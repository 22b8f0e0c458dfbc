import { randomBytes } from 'node:crypto'
import type { AuthorizationRequest, PendingAuthorization } from '../../client/authorization/request.ts'
import { longestAuthorization } from '../../client/authorization/response.ts'
import type { Session, SessionOptions } from '../../client/authorization/session.ts'
import type { Client } from '../../client/client.ts'
import { ClientError } from '../../client/client-error.ts'
import { isJsonObject, parseJsonObject } from '../../foundation/json.ts'
import { seal, unseal } from './seal.ts'

/** The sign-in of a web application. */
export interface WebSignInOptions
  extends Pick<AuthorizationRequest, 'redirect_uri' | 'scope' | 'resource'>,
    Pick<SessionOptions, 'keep'> {
  /** Begins and ends sign-ins, by the certificate of the application. */
  readonly client: Pick<Client, 'authorize' | 'redeem'>
  /** 32 bytes that encrypt the cookie, the same in all processes. When left out, one that ends with the process. */
  readonly key?: Uint8Array
}

/** What is particular about one sign-in. */
export interface WebSignInRequest extends Pick<AuthorizationRequest, 'prompt' | 'login_hint' | 'ui_locales'> {
  /** A path of this application. `/` when left out, or when it would lead elsewhere. */
  readonly returnTo?: string | undefined
}

/** A request as every framework has it: of the web, or of Node. */
export interface CallbackRequest {
  /** The whole address, or the path with its query. */
  readonly url: string
  readonly headers: { readonly cookie?: string | undefined } | { get(name: string): string | null }
}

/** The two addresses of a web application that sign people in, for any framework. */
export interface WebSignIn {
  /** Answers the request that begins a sign-in: 303, and a cookie. */
  readonly begin: (request?: WebSignInRequest) => Promise<{
    readonly status: 303
    readonly headers: Readonly<Record<'location' | 'set-cookie' | 'cache-control', string>>
  }>
  /**
   * Takes what the browser brought to `redirect_uri`. The application gives the browser a session cookie of its own, a
   * new one at each sign-in, and sends it to `returnTo`, with these headers.
   * @throws {@link ClientError} `state_missing`, `state_mismatch`, and those of the answer and of the token request
   */
  readonly callback: (request: CallbackRequest) => Promise<{
    readonly session: Session
    readonly returnTo: string
    readonly headers: Readonly<Record<'set-cookie' | 'cache-control', string>>
  }>
}

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax'

/** As many sign-ins can be under way in one browser: its cookies stay small. */
const places = 8

/**
 * Creates the handlers. What must be known until the answer comes lies in the browser that began, in an encrypted
 * `__Host-` cookie, so that an answer is taken in no other browser, and by whichever process it reaches.
 */
export function createSignIn(options: WebSignInOptions): WebSignIn {
  const { client, redirect_uri, scope, resource, keep, key = randomBytes(32) } = options
  return {
    begin: async ({ returnTo, prompt, login_hint, ui_locales } = {}) => {
      const request = { redirect_uri, scope, resource, prompt, login_hint, ui_locales }
      const { url, ...pending } = await client.authorize(request)
      const name = cookieFor(pending.state)
      const value = seal(JSON.stringify({ ...pending, returnTo: localPath(returnTo) }), key, name)
      const cookie = `${name}=${value}; ${attributes}; Max-Age=${longestAuthorization}`
      return { status: 303, headers: { location: url, 'set-cookie': cookie, 'cache-control': 'no-store' } }
    },
    callback: async ({ url, headers }) => {
      const answer = new URL(url, redirect_uri).searchParams
      const state = answer.get('state')
      if (!state) throw new ClientError('state_missing')
      const name = cookieFor(state)
      const value = findCookie(headers, name)
      const pending = value === undefined ? undefined : parsePending(unseal(value, key, name))
      if (!pending) throw new ClientError('state_mismatch')
      const session = await client.redeem(answer, pending, { keep })
      const forget = `${name}=; ${attributes}; Max-Age=0`
      return { session, returnTo: pending.returnTo, headers: { 'set-cookie': forget, 'cache-control': 'no-store' } }
    },
  }
}

function cookieFor(state: string): string {
  return `__Host-sign-in-${state.charCodeAt(0) % places}`
}

function findCookie(headers: CallbackRequest['headers'], name: string): string | undefined {
  const text = 'get' in headers && typeof headers.get === 'function' ? headers.get('cookie') : cookieOf(headers)
  const start = `${name}=`
  return text
    ?.split('; ')
    .find((pair) => pair.startsWith(start))
    ?.slice(start.length)
}

function cookieOf(headers: object): string | undefined {
  return 'cookie' in headers && typeof headers.cookie === 'string' ? headers.cookie : undefined
}

/** Ours, since nobody else has the key. */
function parsePending(text: string | undefined): (PendingAuthorization & { readonly returnTo: string }) | undefined {
  const pending: unknown = text === undefined ? undefined : parseJsonObject(text)
  return isJsonObject(pending) ? (pending as unknown as PendingAuthorization & { returnTo: string }) : undefined
}

/** A path that browsers read as one. */
function localPath(path = '/'): string {
  return /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path) ? path : '/'
}
