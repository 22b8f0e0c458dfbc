import type { IncomingMessage } from 'node:http'
import type { Clients } from '../context.ts'
import type { Endpoint, Outbound } from '../endpoints/endpoint.ts'

/** A request that a page of another origin has sent. */
export interface CrossOrigin {
  /** As the browser wrote it, or anybody else. */
  readonly origin: string
  /** The client that the request names, not believed. */
  readonly client: string | undefined
}

/** What a script may send besides a form, which it may always send. */
const allowedHeaders = 'authorization, content-type, dpop'

/** What it may read besides status and body: the nonce, what was wrong, how long to wait, by which clock. RFC 9449 §8, §9. */
const exposedHeaders = 'Date, DPoP-Nonce, Retry-After, WWW-Authenticate'

/** For how long a browser need not ask again, in seconds: the longest that Chromium takes. */
const preflightLifetime = '7200'

/**
 * The headers by which a browser lets the script read an answer. Fetch §3.2.
 *
 * An origin that is not registered gets none, and its request is judged like any other: whoever is no browser writes what
 * it likes into `Origin`, so it authenticates nobody, and from a script the browser keeps the answer. Never with
 * credentials: these endpoints look at tokens, proofs and what is in the form, never at a cookie.
 */
export async function shareWith(
  { origin, client }: CrossOrigin,
  { openTo }: Pick<Endpoint, 'openTo'>,
  clients: Clients,
): Promise<Outbound['headers']> {
  if (openTo === undefined) return {}
  if (openTo === 'every-origin') return { 'access-control-allow-origin': '*' }
  const named = await findNamed(client, clients)
  return renderSharing(origin, named ? named.web_origins.includes(origin) : (await clients.webOrigins()).has(origin))
}

/** The headers for a script of an origin that is let in, or not. */
export function renderSharing(origin: string, isLetIn: boolean): Outbound['headers'] {
  // No cache may give to one origin what was written for another.
  const varying = { vary: 'Origin' }
  if (!isLetIn) return varying
  return { ...varying, 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders }
}

/** Says whether a browser asks what it may send, before it sends what no form could. Fetch §4.8. */
export function isPreflight({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

/**
 * The answer to that for an origin to which an answer would be shown. It names no client, so any one's origin will do.
 * @param shared of `shareWith` or `renderSharing`
 * @param methods those of the endpoint, separated by commas
 */
export function renderPreflight(shared: Outbound['headers'], methods: string): Outbound | undefined {
  if (!('access-control-allow-origin' in shared)) return undefined
  const { 'access-control-expose-headers': _, ...headers } = shared
  return {
    status: 204,
    headers: {
      ...headers,
      'access-control-allow-methods': methods,
      'access-control-allow-headers': allowedHeaders,
      'access-control-max-age': preflightLifetime,
    },
    body: '',
  }
}

/**
 * A client that is not there, cannot be read or is disabled leaves the question to all others: its refusal can be read.
 * Who sees the difference learns which clients there are; that is no secret.
 */
async function findNamed(client: string | undefined, clients: Clients) {
  if (client === undefined) return undefined
  try {
    const found = await clients.find(client)
    return found?.disabled ? undefined : found
  } catch {
    return undefined
  }
}
