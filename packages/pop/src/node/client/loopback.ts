import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { ClientError } from '../../client/client-error.ts'
import type { Seconds } from '../../foundation/clock.ts'
import { equalInConstantTime } from '../../foundation/constant-time.ts'
import { type LoopbackPage, loopbackHeaders, renderLoopbackPage } from './loopback-page.ts'

/** Where a native application waits for the browser to come back. */
export interface LoopbackOptions {
  /** @default '127.0.0.1' */
  readonly host?: '127.0.0.1' | '[::1]' | undefined
  /** @default '/callback' */
  readonly path?: string | undefined
}

/** A door on this machine that one browser comes through, once. RFC 8252 §7.3. */
export interface Loopback {
  readonly redirectUri: string
  /**
   * Waits for the answer that has this state. Anything else that knocks is turned away, and the waiting goes on: other
   * pages and programs on this machine can knock too.
   * @throws {@link ClientError} `authorization_expired`; and what the signal says
   */
  readonly receive: (state: string, waiting: Waiting) => Promise<Received>
  readonly close: () => Promise<void>
}

/** How long to wait. */
export interface Waiting {
  readonly patience: Seconds
  readonly signal?: AbortSignal | undefined
}

/** What the browser brought. It waits to hear how it ended. */
export interface Received {
  readonly answer: URLSearchParams
  readonly respond: (page: 'done' | 'failed') => void
}

/** Opens the door on a port that the system chooses. */
export async function openLoopback({ host = '127.0.0.1', path = '/callback' }: LoopbackOptions): Promise<Loopback> {
  const received = Promise.withResolvers<Received>()
  received.promise.catch(() => undefined)
  let expected: string | undefined
  let isTaken = false

  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const target = URL.parse(request.url ?? '', origin)
    if (request.headers.host !== new URL(origin).host || target?.pathname !== path)
      return answer(response, 404, 'absent')
    if (request.method !== 'GET') return answer(response, 405, 'absent')
    const state = target.searchParams.get('state') ?? ''
    if (expected === undefined || !equalInConstantTime(state, expected)) return answer(response, 400, 'unknown')
    if (isTaken) return answer(response, 410, 'over')
    isTaken = true
    received.resolve({
      answer: target.searchParams,
      respond: (page) => answer(response, page === 'done' ? 200 : 400, page),
    })
  })
  server.listen({ port: 0, host: host === '[::1]' ? '::1' : host })
  await once(server, 'listening')
  const address = server.address()
  const origin = `http://${host}:${typeof address === 'object' && address ? address.port : 0}`

  return {
    redirectUri: `${origin}${path}`,
    receive: async (state, { patience, signal }) => {
      expected = state
      const overdue = setTimeout(() => received.reject(new ClientError('authorization_expired')), patience * 1000)
      const abort = () => received.reject(signal?.reason)
      signal?.addEventListener('abort', abort)
      if (signal?.aborted) abort()
      try {
        return await received.promise
      } finally {
        clearTimeout(overdue)
        signal?.removeEventListener('abort', abort)
      }
    },
    close: () => {
      received.reject(new ClientError('client_closed'))
      return shut(server)
    },
  }
}

/** How long the last answer may take to arrive, in milliseconds. Browsers also open connections that they never use. */
const farewell = 1000

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), farewell)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function answer(response: ServerResponse<IncomingMessage>, status: number, page: LoopbackPage): void {
  response.writeHead(status, loopbackHeaders).end(renderLoopbackPage(page))
}
