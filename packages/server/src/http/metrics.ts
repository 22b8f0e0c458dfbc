import { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { IssuedKind } from '../context.ts'
import type { Report } from '../ports/report.ts'
import type { Store } from '../ports/store.ts'
import type { Listener } from '../settings.ts'

/** What is counted, for Prometheus. Nothing that somebody sends becomes a label: their number is bounded. */
export interface Metrics {
  /** Counts a request when it is answered. */
  readonly watch: (request: IncomingMessage, response: ServerResponse) => void
  readonly report: (report: Report) => void
  readonly issued: (kind: IssuedKind) => void
  /** The store, with the time that each verb takes. */
  readonly observe: (store: Store) => Store
  /** @param certificates what the listeners serve at present, by their name */
  readonly render: (
    certificates: Readonly<Record<string, Listener>>,
  ) => Promise<{ readonly type: string; readonly text: string }>
}

/** Seconds, from what takes no database to what is about to be given up. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/**
 * Creates the counters of one server.
 * @param paths what requests are told apart by; all others are `other`
 */
export function createMetrics(paths: ReadonlySet<string>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Histogram({
    name: 'holdfast_request_seconds',
    help: 'Time from the headers of a request to the end of its answer.',
    labelNames: ['path', 'method', 'status'],
    buckets,
    registers,
  })
  const refusals = new Counter({
    name: 'holdfast_refusals_total',
    help: 'Requests that were declined, by the reasons of docs/errors.md.',
    labelNames: ['reason'],
    registers,
  })
  const events = new Counter({
    name: 'holdfast_events_total',
    help: 'What was reported besides: outages, handshakes that failed, certificates that were replaced.',
    labelNames: ['event', 'level'],
    registers,
  })
  const tokens = new Counter({
    name: 'holdfast_tokens_total',
    help: 'Access tokens that were issued, by what binds them.',
    labelNames: ['binding', 'format'],
    registers,
  })
  const verbs = new Histogram({
    name: 'holdfast_store_seconds',
    help: 'Time that a verb of the store takes, waiting included.',
    labelNames: ['verb', 'outcome'],
    buckets,
    registers,
  })
  const waiting = new Gauge({
    name: 'holdfast_store_waiting',
    help: 'Verbs of the store that are not answered yet.',
    registers,
  })
  const expiry = new Gauge({
    name: 'holdfast_certificate_expiry_seconds',
    help: 'When the certificate of a listener ends, in seconds since 1970.',
    labelNames: ['listener'],
    registers,
  })

  return {
    watch({ url = '', method = '' }, response) {
      const began = performance.now()
      const path = url.split('?', 1)[0] ?? ''
      const named = { path: paths.has(path) ? path : 'other', method: known.has(method) ? method : 'other' }
      response.once('finish', () =>
        requests.observe({ ...named, status: response.statusCode }, (performance.now() - began) / 1000),
      )
    },
    report: ({ event, level, reason }) =>
      event === 'refused' && reason !== undefined ? refusals.inc({ reason }) : events.inc({ event, level }),
    issued: (kind) => tokens.inc({ ...kind }),
    observe: (store) => observed(store, { verbs, waiting }),
    render: async (certificates) => {
      for (const [listener, { certificate }] of Object.entries(certificates))
        expiry.set({ listener }, new X509Certificate(certificate).validToDate.getTime() / 1000)
      return { type: registry.contentType, text: await registry.metrics() }
    },
  }
}

const known: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])

interface Gauges {
  readonly verbs: Histogram
  readonly waiting: Gauge
}

function observed(store: Store, { verbs, waiting }: Gauges): Store {
  const { watch, close, ...methods } = store
  const timed: Record<string, (data: unknown) => Promise<unknown>> = {}
  for (const [verb, run] of Object.entries<(data: never) => Promise<unknown>>(methods)) {
    timed[verb] = async (data) => {
      const end = verbs.startTimer({ verb })
      waiting.inc()
      try {
        const answer = await run(data as never)
        end({ outcome: 'answered' })
        return answer
      } catch (cause) {
        end({ outcome: 'failed' })
        throw cause
      } finally {
        waiting.dec()
      }
    }
  }
  // as: each verb keeps its signature.
  const whole: object = { ...timed, watch, close }
  return whole as Store
}
