import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { renderFigures } from './metrics.ts'
import type { Probes } from './probes.ts'

/** The listener for those who run the server: probes and figures. Not for the outside: no TLS, nobody authenticates. */
export interface Operations {
  listen(): Promise<void>
  close(): Promise<void>
}

/**
 * Creates the listener: `/livez` while the process answers at all, `/startupz` once the server listens, `/readyz` while it
 * does and has what it needs, `/metrics` for Prometheus. On a loopback address it answers to loopback names only: a page
 * in a browser of this machine cannot make its own name lead here.
 */
export function createOperations(
  { port, host }: { readonly port: number; readonly host: string },
  probes: Probes,
): Operations {
  const answersTo = namesFor(host)
  const readiness = joined(() => probes.readiness())
  const figures = joined(async () => await renderFigures(await probes.figures()))
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5000, connectionsCheckingInterval: 1000 },
    (request, response) => {
      answer(request).then(
        ({ status, type, body }) =>
          response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
        () => response.writeHead(500).end(),
      )
    },
  )

  server.maxConnections = mostConnections
  // Whoever does not read an answer keeps no connection.
  server.setTimeout(30_000)

  async function answer({ method, url, headers }: IncomingMessage): Promise<Answer> {
    if (!answersTo(headers.host)) return said(421, { error: 'host_unknown' })
    if (method !== 'GET' && method !== 'HEAD') return said(405, { error: 'method_not_allowed' })
    switch (url) {
      case '/livez':
        return said(200, { alive: true })
      case '/startupz': {
        const { stage } = await readiness()
        return said(stage === 'starting' ? 503 : 200, { stage })
      }
      case '/readyz': {
        const { ready, stage, needs } = await readiness()
        return said(ready ? 200 : 503, { ready, stage, ...needs })
      }
      case '/metrics': {
        const { type, text } = await figures()
        return { status: 200, type, body: text }
      }
      default:
        return said(404, { error: 'not_found', paths: ['/livez', '/startupz', '/readyz', '/metrics'] })
    }
  }

  return {
    async listen() {
      const listening = once(server, 'listening')
      server.listen({ port, host: host === 'localhost' ? '127.0.0.1' : host })
      await listening
    },
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** More than probes and Prometheus need; what comes then is dropped. Files that are open are for those who want tokens. */
const mostConnections = 100

/** Those who ask while an answer is being made get that one: figures cost as much as many requests for tokens. */
function joined<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let making: Promise<Made> | undefined
  return async () => {
    // All that have come at once are heard before it is begun.
    making ??= setImmediate()
      .then(make)
      .finally(() => {
        making = undefined
      })
    return await making
  }
}

/** Elsewhere than on loopback nobody knows by which names it is reached. */
function namesFor(host: string): (written: string | undefined) => boolean {
  if (!/^(localhost|127(\.\d+){3}|::1)$/.test(host)) return () => true
  const names = new Set(['localhost', '127.0.0.1', '[::1]', host])
  return (written = 'localhost') => names.has(written.replace(/:\d+$/, '').toLowerCase())
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

function said(status: number, body: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` }
}
