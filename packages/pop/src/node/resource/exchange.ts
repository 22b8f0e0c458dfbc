import type { Inbound } from '../../foundation/inbound.ts'
import type { Guard, Needs } from '../../resource/guard.ts'
import { renderVerdict, type Verdict } from '../../resource/verdict.ts'
import { type PeerSocket, readPeerCertificate } from './peer-certificate.ts'

/** What is read of a request: `http.IncomingMessage` fits. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headersDistinct: { readonly [name: string]: readonly string[] | undefined }
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

/**
 * Judges a request of `node:http(s)`. Never rejects.
 * @returns the verdict that admits it, or how it is answered: with the API's metadata at its place, or with the refusal
 */
export async function judgeRequest(
  guard: Guard,
  request: NodeRequest,
  needs?: Needs,
): Promise<{ readonly verdict: Verdict & { admitted: true } } | { readonly answer: Answer }> {
  const metadata = metadataAnswer(guard, request)
  if (metadata) return { answer: metadata }
  const verdict = await judge(guard, request, needs)
  return verdict.admitted ? { verdict } : { answer: renderVerdict(verdict) }
}

/** Sends a whole answer. */
export function send(response: NodeResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}

function judge(guard: Guard, request: NodeRequest, needs: Needs | undefined): Verdict | Promise<Verdict> {
  try {
    return guard.judge(inboundOf(request, guard.origin), needs)
  } catch (cause) {
    return guard.decline(cause)
  }
}

function inboundOf({ method = '', url = '', headersDistinct, socket }: NodeRequest, origin: string): Inbound {
  const certificate = readPeerCertificate(socket)
  return { method, url: origin + url, headers: headersDistinct, ...(certificate ? { certificate } : {}) }
}

function metadataAnswer({ metadata }: Guard, { method, url }: NodeRequest): Answer | undefined {
  if (!metadata || url !== metadata.target || (method !== 'GET' && method !== 'HEAD')) return undefined
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
    body: JSON.stringify(metadata.document),
  }
}
