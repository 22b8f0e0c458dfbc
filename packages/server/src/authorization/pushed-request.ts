import { type Parameters, Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthorizationRequest, PushedRequest } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { isRegisteredRedirectUri } from '../model/redirect-uri.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'

/** From the push to the visit of the authorization endpoint. RFC 9126 §2.2. */
export const pushedRequestLifetime: Seconds = 90

const prefix = 'urn:ietf:params:oauth:request_uri:'

/** Keeps a judged request until its browser comes. @returns the `request_uri` */
export async function pushRequest(request: AuthorizationRequest, context: Context): Promise<string> {
  const { store, now, primitives } = context
  const handle = createHandle(primitives.random)
  await store.insertPushedRequest({ hash: handleHash(handle), request, expires: now() + pushedRequestLifetime })
  return `${prefix}${handle}`
}

/** Says whether a `request_uri` looks like one of ours: another is never fetched. RFC 9101 §10.4. */
export function isPushed(requestUri: string): boolean {
  return requestUri.startsWith(prefix)
}

/**
 * Finds the pushed request that a browser brings: the same client's and in time. It is used up at the end of the flow,
 * so that a page can be loaded twice. RFC 9126 §4, §7.3.
 * @throws {@link Refused} `request_uri_unknown`, `redirect_uri_unregistered`
 */
export async function findPushed(requestUri: string, client: Client, { store, now }: Context): Promise<PushedRequest> {
  const handle = requestUri.slice(prefix.length)
  const found = /^[A-Za-z0-9_-]{43}$/.test(handle) ? await store.findPushedRequest(handleHash(handle)) : undefined
  if (!found || found.expires <= now() || found.request.clientId !== client.client_id)
    throw new Refused('request_uri_unknown')
  if (!isRegisteredRedirectUri(found.request.redirectUri, client)) throw new Refused('redirect_uri_unregistered')
  return found
}

/** Says whether a client must push. RFC 9126 §5, §6. */
export function mustPush({ require_pushed_authorization_requests }: Client, { settings }: Context): boolean {
  return require_pushed_authorization_requests || settings.pushedAuthorizationRequests.required
}

/** A request that must not be there at the endpoint where requests are pushed. @throws {@link Refused} `request_uri_pushed` */
export function requireNoRequestUri(parameters: Parameters): void {
  if (parameters.one('request_uri') !== undefined) throw new Refused('request_uri_pushed')
}
