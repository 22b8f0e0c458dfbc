import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { Awaitable } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Settings } from '../settings.ts'
import type { Metrics } from './metrics.ts'

/** Says whether something that the server needs is there. Rejects when it is not. */
export type Check = () => Awaitable<unknown>

/** The listener for those who run the server: probes and figures. Not for the outside: no TLS, nobody authenticates. */
export interface Operations {
  listen(): Promise<void>
  /** Says from now on that the server is ready for nothing more; goes on answering. */
  drain(): void
  close(): Promise<void>
}

/** What is looked at, and where. */
export interface OperationsOptions {
  readonly port: number
  readonly host: string
  /** What the server needs to be ready, by the name that the answer gives it. */
  readonly checks: Readonly<Record<string, Check>>
  readonly metrics: Metrics
  /** What the listeners serve at present. */
  readonly served: () => Settings['listen']
}

/** A check that takes longer has failed, in milliseconds. */
const patience = 2000

/**
 * Creates the listener: `/livez` while the process answers at all, `/startupz` once the server listens, `/readyz` while it
 * does and has what it needs, `/metrics` for Prometheus.
 */
export function createOperations({ port, host, checks, metrics, served }: OperationsOptions): Operations {
  let stage: 'starting' | 'serving' | 'draining' = 'starting'
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5000 },
    (request, response) => {
      answer(request).then(
        ({ status, type, body }) =>
          response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
        () => response.writeHead(500).end(),
      )
    },
  )

  async function answer({ method, url }: IncomingMessage): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return said(405, { error: 'method_not_allowed' })
    switch (url) {
      case '/livez':
        return said(200, { alive: true })
      case '/startupz':
        return said(stage === 'starting' ? 503 : 200, { stage })
      case '/readyz':
        return await readiness()
      case '/metrics': {
        const { type, text } = await metrics.render({ ...served() })
        return { status: 200, type, body: text }
      }
      default:
        return said(404, { error: 'not_found', paths: ['/livez', '/startupz', '/readyz', '/metrics'] })
    }
  }

  async function readiness(): Promise<Answer> {
    const names = Object.keys(checks)
    const outcomes = await Promise.all(Object.values(checks).map(holds))
    const found = Object.fromEntries(names.map((name, index) => [name, outcomes[index] ? 'there' : 'away']))
    const ready = stage === 'serving' && !outcomes.includes(false)
    return said(ready ? 200 : 503, { ready, stage, ...found })
  }

  return {
    async listen() {
      const listening = once(server, 'listening')
      server.listen({ port, host: host === 'localhost' ? '127.0.0.1' : host })
      await listening
      stage = 'serving'
    },
    drain() {
      stage = 'draining'
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

/** What a server needs to be ready. */
export function checksOf({ store, replay, now }: Context): Readonly<Record<string, Check>> {
  return {
    store: () => store.listSigningKeys(),
    ...(replay && { replay: () => replay.use({ key: randomUUID(), made: now() + 1, expires: now() + 1 }, now()) }),
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

function said(status: number, body: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` }
}

async function holds(check: Check): Promise<boolean> {
  const late = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), patience).unref()
  })
  const held = Promise.resolve()
    .then(check)
    .then(
      () => true,
      () => false,
    )
  return await Promise.race([held, late])
}
