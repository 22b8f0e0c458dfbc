import type { AccessToken } from './access-token.ts'
import { ClientError } from './client-error.ts'
import type { Fetch } from './context.ts'
import { asClientError, onceMore } from './exchange.ts'
import { findChallengeError } from './protected-fetch/challenge.ts'
import { isRepeatable, withRepeatableBody } from './protected-fetch/request-body.ts'
import type { Proven, Prover } from './prover.ts'
import type { TokenScope, Tokens } from './tokens.ts'

/** A `fetch` that brings an access token: to the address given, and nowhere else. */
export type ProtectedFetch<Wanted = TokenScope> = (
  input: string | URL | Request,
  init?: RequestInit,
  wanted?: Wanted,
) => Promise<Response>

/**
 * Creates a `fetch` that sends the token in the Authorization header, in place of one that is there, and with a prover
 * a proof of its own with each attempt. RFC 6750 §2.1, RFC 9449 §7.1.
 *
 * An answer of 401 `invalid_token` is answered once with a fresh token, one against the proof once with another proof
 * where the answer says what was missing. GET, HEAD and OPTIONS are repeated once on a fresh connection when theirs was
 * lost. A redirect is given back, not followed: it would carry token and certificate to a place that the caller did not
 * name.
 *
 * @throws {@link ClientError} `url_not_https`, `address_unprovable`, `body_not_repeatable`, those of the token request, and those of the
 *   connection
 */
export function createProtectedFetch(
  tokens: Pick<Tokens, 'obtain' | 'forget'>,
  fetch: Fetch,
  prover?: Prover,
): ProtectedFetch {
  return async (input, given = {}, wanted = {}) => {
    const url = requireHttps(input)
    const signal = signalOf(input, given)
    const init = prover ? await unlessAborted(signal, () => withRepeatableBody(input, given)) : given
    const method = methodOf(input, init)
    const left = new Set(['proof', 'token'])
    for (;;) {
      const token = await unlessAborted(signal, () => tokens.obtain(wanted))
      const { access_token } = token
      let proven: Proven | undefined
      const attempt = async (): Promise<Response> => {
        proven = await prover?.prove({ method, url, accessToken: access_token })
        return await send(fetch, input, withToken(input, init, { token, proof: proven?.proof }))
      }
      const response = /^(GET|HEAD|OPTIONS)$/.test(method) ? await onceMore(attempt) : await attempt()
      const error = findChallengeError(response)
      const isProofRefused = proven?.learn(response.headers, error) === true
      const refused = isProofRefused ? 'proof' : error === 'invalid_token' ? 'token' : undefined
      if (refused === undefined || !left.delete(refused)) return response
      if (refused === 'token') tokens.forget(access_token)
      await response.body?.cancel()
      if (!isRepeatable(input, init)) throw new ClientError('body_not_repeatable', { status: 401 })
    }
  }
}

/** @returns the address as it is sent */
function requireHttps(input: string | URL | Request): string {
  const url = URL.parse(input instanceof Request ? input.url : String(input))
  if (url?.protocol !== 'https:') throw new ClientError('url_not_https')
  return url.href
}

/** As it is sent: the common ones in capitals. Fetch Standard §2.2.1. */
function methodOf(input: string | URL | Request, init: RequestInit): string {
  const method = init.method ?? (input instanceof Request ? input.method : 'GET')
  return /^(?:DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i.test(method) ? method.toUpperCase() : method
}

function withToken(
  input: string | URL | Request,
  init: RequestInit,
  { token, proof }: { readonly token: AccessToken; readonly proof: string | undefined },
): RequestInit {
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined))
  headers.set('authorization', `${token.token_type} ${token.access_token}`)
  if (proof !== undefined) headers.set('dpop', proof)
  return { ...init, headers, redirect: 'manual' }
}

/** Tells a failure by its reason, but leaves what the caller's own signal threw as it is. */
async function send(fetch: Fetch, input: string | URL | Request, init: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init)
  } catch (cause) {
    throw signalOf(input, init)?.aborted ? cause : asClientError(cause)
  }
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
