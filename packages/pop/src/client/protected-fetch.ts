import type { AccessToken } from './access-token.ts'
import { ClientError } from './client-error.ts'
import type { Fetch } from './context.ts'
import { asClientError, onceMore } from './exchange.ts'
import type { TokenScope, Tokens } from './tokens.ts'

/** A `fetch` that brings an access token: to the address given, and nowhere else. */
export type ProtectedFetch<Wanted = TokenScope> = (
  input: string | URL | Request,
  init?: RequestInit,
  wanted?: Wanted,
) => Promise<Response>

/**
 * Creates a `fetch` that sends the token in the Authorization header, in place of one that is there. RFC 6750 §2.1.
 *
 * An answer of 401 `invalid_token` is answered once with a fresh token. GET, HEAD and OPTIONS are repeated once on a
 * fresh connection when theirs was lost. A redirect is given back, not followed: it would carry token and certificate
 * to a place that the caller did not name.
 *
 * @throws {@link ClientError} `url_not_https`, `body_not_repeatable`, those of the token request, and those of the
 *   connection
 */
export function createProtectedFetch(tokens: Pick<Tokens, 'obtain' | 'forget'>, fetch: Fetch): ProtectedFetch {
  return async (input, init = {}, wanted = {}) => {
    requireHttps(input)
    const signal = signalOf(input, init)
    const obtain = () => unlessAborted(signal, () => tokens.obtain(wanted))
    const token = await obtain()
    const response = await send(fetch, input, withToken(input, init, token))
    if (!isTokenRefused(response)) return response
    tokens.forget(token.access_token)
    await response.body?.cancel()
    if (!isRepeatable(input, init)) throw new ClientError('body_not_repeatable', { status: 401 })
    return await send(fetch, input, withToken(input, init, await obtain()))
  }
}

function requireHttps(input: string | URL | Request): void {
  const url = input instanceof Request ? input.url : String(input)
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw new ClientError('url_not_https')
}

function withToken(input: string | URL | Request, init: RequestInit, { access_token }: AccessToken): RequestInit {
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined))
  headers.set('authorization', `Bearer ${access_token}`)
  return { ...init, headers, redirect: 'manual' }
}

/** Tells a failure by its reason, but leaves what the caller's own signal threw as it is. */
async function send(fetch: Fetch, input: string | URL | Request, init: RequestInit): Promise<Response> {
  const method = init.method ?? (input instanceof Request ? input.method : 'GET')
  const attempt = async (): Promise<Response> => {
    try {
      return await fetch(input, init)
    } catch (cause) {
      throw signalOf(input, init)?.aborted ? cause : asClientError(cause)
    }
  }
  return /^(GET|HEAD|OPTIONS)$/i.test(method) ? await onceMore(attempt) : await attempt()
}

function signalOf(input: string | URL | Request, { signal }: RequestInit): AbortSignal | undefined {
  return signal ?? (input instanceof Request ? input.signal : undefined)
}

/** Ends the waiting, not the work, which others may be waiting for too. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return await work()
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work(), promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** RFC 6750 §3.1 */
function isTokenRefused({ status, headers }: Response): boolean {
  return status === 401 && /\berror\s*=\s*"?invalid_token"?/i.test(headers.get('www-authenticate') ?? '')
}

/** Text, bytes and forms can be sent again; streams, and the body of a `Request`, are gone when they were read. */
function isRepeatable(input: string | URL | Request, { body }: RequestInit): boolean {
  if (body === undefined || body === null) return !(input instanceof Request) || input.body === null
  if (typeof body === 'string' || body instanceof URLSearchParams || body instanceof Blob) return true
  return body instanceof FormData || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
}
