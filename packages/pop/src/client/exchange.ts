import { type JsonObject, parseJsonObject } from '../foundation/json.ts'
import { ClientError, shorten } from './client-error.ts'
import type { ClientContext } from './context.ts'

/** A server's answer, read to its end. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The body, when it is a JSON object. */
  readonly json: JsonObject | undefined
}

/** Largest body that is read, in bytes. */
const limit = 2 * 1024 * 1024

/**
 * Sends one request and reads the answer: no redirect, bounded size, until the signal ends it.
 * @throws {@link ClientError} `redirect_refused`, `response_too_large`, and those of {@link asClientError}
 */
export async function exchange(
  url: string,
  init: RequestInit,
  { fetch }: Pick<ClientContext, 'fetch'>,
): Promise<Reply> {
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', credentials: 'omit', cache: 'no-store' })
    const { status, headers } = response
    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      throw new ClientError('redirect_refused', { status })
    }
    return { status, headers, json: parseJsonObject(await readText(response)) }
  } catch (cause) {
    throw asClientError(cause)
  }
}

/** Does something that may be done twice once more when its connection was lost: a fresh one may do. */
export async function onceMore<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (error instanceof ClientError && error.reason === 'connection_lost') return await attempt()
    throw error
  }
}

/** Gives what a `fetch` threw its reason, unless it has one: `deadline_exceeded` or `connection_failed`. */
export function asClientError(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause
  const reason = cause instanceof Error && cause.name === 'TimeoutError' ? 'deadline_exceeded' : 'connection_failed'
  return new ClientError(reason, { detail: cause instanceof Error ? shorten(cause.message) : undefined, cause })
}

async function readText(response: Response): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    if (size > limit) {
      await reader.cancel()
      throw new ClientError('response_too_large', { status: response.status, detail: `More than ${limit} bytes.` })
    }
    text += decoder.decode(value, { stream: true })
  }
}
