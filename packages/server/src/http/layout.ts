import type { IncomingMessage } from 'node:http'
import type { Context } from '../context.ts'
import { endpoints } from '../endpoints/metadata.ts'
import type { Settings } from '../settings.ts'
import { createApp } from './app.ts'
import type { Listenings } from './certificate-renewal.ts'
import type { Arrival } from './exchange.ts'
import { createListener } from './listeners.ts'
import type { Metrics } from './metrics.ts'

/** The listeners of the layout: which asks for certificates, and which serves the aliases only. */
export function createListeners(context: Context, watch?: Metrics['watch']): Listenings {
  const { listen, layout } = context.settings
  const arrivals = new WeakMap<IncomingMessage, Arrival>()
  let draining = false
  const app = createApp(endpoints, context, {
    arrivalOf: (request) => arrivals.get(request) ?? open,
    isDraining: () => draining,
  })
  const open: Arrival = { origin: listen.public.origin, asks: layout === 'single', aliasesOnly: false }
  const start = (listener: Settings['listen']['public'], arrival: Arrival) =>
    createListener(listener, arrival, {
      route(request, response) {
        arrivals.set(request, arrival)
        watch?.(request, response)
        app.routing(request, response)
      },
      report: context.report,
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
