import { createHmac } from 'node:crypto'
import { equalInConstantTime, type Inbound, type Parameters, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import { readCookie } from './cookies.ts'
import { verifyIdTokenHint } from './id-token-hint.ts'
import type { SignedIn } from './session.ts'

/** What a client asks for when its person signs out. OpenID Connect RP-Initiated Logout §2. */
export interface SignOutRequest {
  readonly client?: Client
  /** The session that the client knows of. */
  readonly sid?: string
  /** Where the browser goes then, `state` included. */
  readonly next?: string
}

const longestState = 4096

/**
 * Judges a request to sign out. A browser is sent on to a registered address only, of a client that the request names.
 * @throws {@link Refused} `id_token_hint_unknown`, `post_logout_client_unknown`, `post_logout_redirect_uri_unregistered`, `state_too_long`
 */
export async function judgeSignOut(parameters: Parameters, context: Context): Promise<SignOutRequest> {
  const [text, named] = [parameters.one('id_token_hint'), parameters.one('client_id')]
  const hint = text === undefined ? undefined : await verifyIdTokenHint(text, context)
  if (hint && named !== undefined && named !== hint.clientId) throw new Refused('post_logout_client_unknown')
  const id = named ?? hint?.clientId
  const client = id === undefined || id.length > 256 ? undefined : await context.clients.find(id)
  const next = findNext(parameters, client)
  return { ...(client && { client }), ...(hint?.sid !== undefined && { sid: hint.sid }), ...(next && { next }) }
}

/** Says whether the client has shown that its person is the one who is signed in: then nobody is asked. */
export function isVouchedFor({ sid }: SignOutRequest, { session }: SignedIn): boolean {
  return sid !== undefined && equalInConstantTime(sid, session.sid)
}

/** The token of the form that asks: only our own page in this browser has it. */
export function signOutToken(inbound: Pick<Inbound, 'headers'>): string {
  return createHmac('sha256', readCookie(inbound, 'session') ?? '')
    .update('sign-out')
    .digest('base64url')
}

/** @throws {@link Refused} `page_token_wrong` */
export function requireSignOutToken(inbound: Pick<Inbound, 'headers'>, parameters: Parameters): void {
  const isOurs = equalInConstantTime(parameters.one('csrf') ?? '', signOutToken(inbound))
  if (!isOurs || readCookie(inbound, 'session') === undefined) throw new Refused('page_token_wrong')
}

function findNext(parameters: Parameters, client: Client | undefined): string | undefined {
  const [uri, state] = [parameters.one('post_logout_redirect_uri'), parameters.one('state')]
  if (uri === undefined) return undefined
  if (!client || client.disabled) throw new Refused('post_logout_client_unknown')
  if (!client.post_logout_redirect_uris.includes(uri)) throw new Refused('post_logout_redirect_uri_unregistered')
  if (state === undefined) return uri
  if (state.length > longestState) throw new Refused('state_too_long')
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams({ state })}`
}
