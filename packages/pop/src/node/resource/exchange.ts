import type { Inbound } from '../../foundation/inbound.ts'
import type { Awaitable } from '../../foundation/primitives.ts'
import type { Guard, Needs } from '../../resource/guard.ts'
import type { Admitted, Verdict } from '../../resource/verdict.ts'
import { type PeerSocket, readPeerCertificate } from './peer-certificate.ts'

/** What is read of a request: `http.IncomingMessage` fits. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** Names and values by turns, as they arrived. */
  readonly rawHeaders: readonly string[]
  readonly socket: PeerSocket
}

/** What is done with a response: `http.ServerResponse` fits. */
export interface NodeResponse {
  readonly headersSent: boolean
  writeHead(status: number, headers: Record<string, string | string[]>): unknown
  end(body: string): unknown
  destroy(): unknown
}

/** A whole answer, ready to be sent. */
export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[]>
  readonly body: string
}

/** Judges a request of `node:http(s)`. Never rejects. */
export function judgeRequest(guard: Guard, request: NodeRequest, needs?: Needs): Awaitable<Verdict> {
  try {
    return guard.judge(inboundOf(request, guard.origin), needs)
  } catch (cause) {
    return guard.decline(cause)
  }
}

/** The answer to a question for the API's metadata; undefined for every other request. RFC 9728 §3.1. */
export function metadataAnswer(
  { metadata }: Guard,
  { method, url }: Pick<NodeRequest, 'method' | 'url'>,
): Answer | undefined {
  if (!metadata || url !== metadata.target || (method !== 'GET' && method !== 'HEAD')) return undefined
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
    body: JSON.stringify(metadata.document),
  }
}

/**
 * The verdict that a guard has put beside a request of Express or Fastify.
 * @throws Error where no guard stands before the handler
 */
export function verdictOf(request: object): Admitted {
  const { verdict } = request as { readonly verdict?: Admitted }
  if (!verdict) throw new Error('No guard has judged this request: put protect(guard) before its handler.')
  return verdict
}

/** Sends a whole answer. */
export function send(response: NodeResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}

function inboundOf({ method = '', url = '', rawHeaders, socket }: NodeRequest, origin: string): Inbound {
  const certificate = readPeerCertificate(socket)
  const headers = { authorization: headerValues(rawHeaders, 'authorization') }
  return { method, url: origin + url, headers, ...(certificate ? { certificate } : {}) }
}

/** Every instance of a header: `headers` drops the second Authorization, and `headersDistinct` copies all of them. */
function headerValues(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const written = rawHeaders[i] ?? ''
    if (written.length === name.length && written.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}
