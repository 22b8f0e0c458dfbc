import type { Inbound } from '../../foundation/inbound.ts'
import type { Guard, Needs } from '../../resource/guard.ts'
import type { Admitted, Verdict } from '../../resource/verdict.ts'
import { keepPeerCertificate, type PeerSocket } from './peer-certificate.ts'

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
  setHeader(name: string, value: string): unknown
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
export function judgeRequest(guard: Guard, request: NodeRequest, needs?: Needs): Promise<Verdict> {
  return guard.judge(inboundOf(request, guard.origin), needs)
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
 * What an API that browsers call must add to its own CORS: the request headers that its preflights allow, and the
 * response headers that pages may read. As `cors` and `@fastify/cors` spell it. RFC 9449 §8, §9.
 */
export const corsHeaders = {
  allowedHeaders: ['Authorization', 'DPoP'] as string[],
  exposedHeaders: ['WWW-Authenticate', 'DPoP-Nonce', 'Date', 'Retry-After'] as string[],
} as const

/**
 * The verdict that a guard has put beside a request of Express or Fastify.
 * @throws Error where no guard stands before the handler
 */
export function verdictOf(request: object): Admitted {
  const { verdict } = request as { readonly verdict?: Admitted }
  if (!verdict) throw new Error('No guard has judged this request: put protect(guard) before its handler.')
  return verdict
}

/** Puts onto the response of an admitted request what the guard has to say: the next nonce. RFC 9449 §8.2. */
export function announce(response: Pick<NodeResponse, 'setHeader'>, { headers }: Admitted): void {
  if (!headers) return
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}

/** Sends a whole answer. */
export function send(response: NodeResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}

function inboundOf({ method = '', url = '', rawHeaders, socket }: NodeRequest, origin: string): Inbound {
  const certificate = keepPeerCertificate(socket)
  return {
    method,
    url: origin + url,
    headers: valuesOf(rawHeaders),
    get certificate() {
      return certificate()
    },
  }
}

/** Every instance of what a guard reads: `headers` joins or drops the second one, and `headersDistinct` copies all of them. */
function valuesOf(rawHeaders: readonly string[]): Inbound['headers'] {
  const found: { authorization?: string[]; dpop?: string[] } = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = nameOf(rawHeaders[i] ?? '')
    if (!name) continue
    found[name] ??= []
    found[name].push(rawHeaders[i + 1] ?? '')
  }
  return found
}

function nameOf(written: string): 'authorization' | 'dpop' | undefined {
  if (written.length === 4 && written.toLowerCase() === 'dpop') return 'dpop'
  return written.length === 13 && written.toLowerCase() === 'authorization' ? 'authorization' : undefined
}
