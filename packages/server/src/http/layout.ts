import type { IncomingMessage } from 'node:http'
import type { Context } from '../context.ts'
import { endpoints } from '../endpoints/metadata.ts'
import type { Settings } from '../settings.ts'
import { createApp } from './app.ts'
import type { Listenings } from './certificate-renewal.ts'
import type { Arrival } from './exchange.ts'
import { createListener } from './listeners.ts'
import type { ListenerFigures } from './operations/metrics.ts'
import type { Tracing } from './operations/tracing.ts'
import { beginPassage, type Passage } from './passage.ts'

/** The listeners of the layout: which asks for certificates, and which serves the aliases only. */
export function createListeners(context: Context, tracing?: Tracing): Listenings {
  const { listen, layout } = context.settings
  const known = { paths: new Set(endpoints.flatMap(({ paths }) => paths(context.settings))), tracing }
  const passages = new WeakMap<IncomingMessage, Passage>()
  let draining = false
  const app = createApp(endpoints, context, {
    passageOf(request) {
      const passage = passages.get(request)
      if (!passage) throw new Error('a request that came in by no listener')
      return passage
    },
    isDraining: () => draining,
  })
  const open: Arrival = { origin: listen.public.origin, asks: layout === 'single', aliasesOnly: false }
  const start = (listener: Settings['listen']['public'], arrival: Arrival) =>
    createListener(listener, arrival, {
      route(request, response) {
        passages.set(request, beginPassage(request, arrival, known))
        app.routing(request, response)
      },
      report: context.report,
      connections: context.settings.limits.connections,
      onDrain() {
        draining = true
      },
    })
  void app.ready()
  const { mutualTls } = listen
  return {
    public: start(listen.public, open),
    ...(mutualTls && { mutualTls: start(mutualTls, { origin: mutualTls.origin, asks: true, aliasesOnly: true }) }),
  }
}

/** What figures tell of the listeners: the certificates that they serve, and open connections. */
export async function figuresOf(
  listenings: Listenings,
  served: Settings['listen'],
): Promise<Readonly<Record<string, ListenerFigures>>> {
  const figures: Record<string, ListenerFigures> = {}
  for (const name of ['public', 'mutualTls'] as const) {
    const certificate = served[name]?.certificate
    const connections = await listenings[name]?.connections()
    if (certificate !== undefined && connections !== undefined) figures[name] = { certificate, connections }
  }
  return figures
}
