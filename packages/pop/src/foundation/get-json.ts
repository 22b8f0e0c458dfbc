import type { Seconds } from './clock.ts'
import { type JsonObject, parseJsonObject } from './json.ts'

/** The shape of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** How far one outgoing request may go. */
export interface OutboundLimits {
  readonly fetch: Fetch
  /** Until the last byte of the body. 5 when left out. */
  readonly timeout?: Seconds
  /** Largest body, in bytes. 64 KiB when left out. */
  readonly limit?: number
}

/**
 * Gets one JSON object: no redirect, a deadline, a bounded body.
 * @throws Error for every other answer, and when there is none
 */
export function getJson(url: string, limits: OutboundLimits): Promise<JsonObject> {
  return requestJson(url, { method: 'GET' }, limits)
}

/** A JSON object, and the name of this state of it. RFC 9110 §8.8.3. */
export interface Tagged {
  readonly json: JsonObject
  readonly etag: string | undefined
}

/**
 * Gets one JSON object again, under the limits of {@link getJson}: caches on the way ask whether it is still so, and
 * what is known already does not travel.
 * @param etag of what is known
 * @returns undefined when that is still so
 * @throws Error for every other answer, and when there is none
 */
export async function getJsonAnew(
  url: string,
  etag: string | undefined,
  limits: OutboundLimits,
): Promise<Tagged | undefined> {
  const headers = { 'cache-control': 'no-cache', ...(etag !== undefined && { 'if-none-match': etag }) }
  const response = await send(url, { method: 'GET', headers }, limits)
  if (response.status === 304 && etag !== undefined) return undefined
  return { json: await readJson(url, response, limits), etag: response.headers.get('etag') ?? undefined }
}

/**
 * Posts a form and gets one JSON object, under the limits of {@link getJson}.
 * @throws Error for every other answer, and when there is none
 */
export function postForm(
  url: string,
  form: { readonly [parameter: string]: string },
  headers: { readonly [name: string]: string },
  limits: OutboundLimits,
): Promise<JsonObject> {
  const body = new URLSearchParams(form).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  return requestJson(url, { method: 'POST', body, headers: { ...headers, ...type } }, limits)
}

interface Sent {
  readonly method: string
  readonly body?: string
  readonly headers?: Record<string, string>
}

async function requestJson(url: string, request: Sent, limits: OutboundLimits): Promise<JsonObject> {
  return await readJson(url, await send(url, request, limits), limits)
}

function send(url: string, request: Sent, { fetch, timeout = 5 }: OutboundLimits): Promise<Response> {
  return fetch(url, {
    ...request,
    headers: { ...request.headers, accept: 'application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeout * 1000),
  })
}

async function readJson(url: string, response: Response, { limit = 65_536 }: OutboundLimits): Promise<JsonObject> {
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${new URL(url).host} answered ${response.status}`)
  }
  const json = parseJsonObject(await readText(response, limit))
  if (!json) throw new Error(`${new URL(url).host} answered with something that is not a JSON object`)
  return json
}

async function readText(response: Response, limit: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const reader = response.body?.getReader()
  let text = ''
  let length = 0
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    length += part.value.byteLength
    if (length > limit) {
      await reader?.cancel()
      throw new Error(`the answer has more than ${limit} bytes`)
    }
    text += decoder.decode(part.value, { stream: true })
  }
  return text + decoder.decode()
}
