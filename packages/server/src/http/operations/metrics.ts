import { X509Certificate } from 'node:crypto'
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AnsweredRequest, Report } from '../../ports/report.ts'
import type { Store } from '../../ports/store.ts'
import type { Listener } from '../../settings.ts'
import { version } from '../../version.ts'
import { aroundVerbs } from './around-verbs.ts'

/** What is counted, for Prometheus. Nothing that somebody sends becomes a label: their number is bounded. */
export interface Metrics {
  /** Counts answered requests, refusals, tokens, and all else that is told. */
  readonly report: (report: Report) => void
  /** The store, with the time that each verb takes. */
  readonly observe: (store: Store) => Store
  readonly read: (listeners: Readonly<Record<string, ListenerFigures>>, lostLines: number) => Promise<Figures>
}

/** What a listener says of itself when somebody asks. */
export interface ListenerFigures extends Pick<Listener, 'certificate'> {
  /** How many are open. */
  readonly connections: number
}

/** The figures of one process, as plain data. */
export type Figures = readonly Figure[]

interface Figure {
  readonly name: string
  readonly type: unknown
  /** What several processes have in common. */
  readonly aggregator: string
}

/** Seconds, from what takes no database to what is about to be given up. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Creates the counters of one server. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Histogram({
    name: 'holdfast_request_seconds',
    help: 'Time from the headers of a request to its answer.',
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
    aggregator: 'min',
    registers,
  })
  const connections = new Gauge({
    name: 'holdfast_connections',
    help: 'Open connections of a listener.',
    labelNames: ['listener'],
    registers,
  })
  const lost = new Counter({
    name: 'holdfast_log_lines_lost_total',
    help: 'Lines of the log that nobody took.',
    registers,
  })
  const build = new Gauge({
    name: 'holdfast_build_info',
    help: 'Always 1: what runs here.',
    labelNames: ['version', 'node'],
    aggregator: 'first',
    registers,
  })
  build.set({ version, node: process.versions.node }, 1)

  return {
    report({ event, level, reason, request }) {
      if (request) requests.observe(labelsOf(request), request.ms / 1000)
      if (request?.grant !== undefined) tokens.inc(kindOf(request))
      if (event === 'refused' && reason !== undefined) refusals.inc({ reason })
      else if (event !== 'answered') events.inc({ event, level })
    },
    observe: (store) => observed(store, { verbs, waiting }),
    async read(listeners, lostLines) {
      lost.reset()
      lost.inc(lostLines)
      for (const [listener, { certificate, connections: open }] of Object.entries(listeners)) {
        expiry.set({ listener }, new X509Certificate(certificate).validToDate.getTime() / 1000)
        connections.set({ listener }, open)
      }
      return (await registry.getMetricsAsJSON()).map(shared)
    },
  }
}

/** Figures of one process, or of all that serve together, as Prometheus reads them. */
export async function renderFigures(
  processes: readonly Figures[],
): Promise<{ readonly type: string; readonly text: string }> {
  const registry = together(processes)
  return { type: registry.contentType, text: await registry.metrics() }
}

/** What is left of a process that has ended: its counts. What it had open or waiting it has no more. */
export async function bequeath(processes: readonly Figures[]): Promise<Figures> {
  const figures = await together(processes).getMetricsAsJSON()
  return figures.filter(({ type }) => counting.has(String(type)))
}

const counting: ReadonlySet<string> = new Set(['counter', 'histogram'])

function together(processes: readonly Figures[]): Registry {
  return AggregatorRegistry.aggregate(processes.map((figures) => [...figures]))
}

/** Of several processes the one counts that is worst off: an average would hide it. */
function shared(figure: Figure): Figure {
  if (figure.name === 'process_start_time_seconds') return { ...figure, aggregator: 'min' }
  return /^nodejs_eventloop_lag_(p\d+_)?seconds$/.test(figure.name) ? { ...figure, aggregator: 'max' } : figure
}

function kindOf({ binding = 'none', format = 'jwt' }: AnsweredRequest): Record<string, string> {
  return { binding, format }
}

function labelsOf({ path, method, status }: AnsweredRequest): Record<string, string | number> {
  return { path, method, status }
}

interface Gauges {
  readonly verbs: Histogram
  readonly waiting: Gauge
}

function observed(store: Store, { verbs, waiting }: Gauges): Store {
  return aroundVerbs(store, async (verb, run) => {
    const end = verbs.startTimer({ verb })
    waiting.inc()
    try {
      const answer = await run()
      end({ outcome: 'answered' })
      return answer
    } catch (cause) {
      end({ outcome: 'failed' })
      throw cause
    } finally {
      waiting.dec()
    }
  })
}
