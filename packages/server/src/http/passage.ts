import type { IncomingMessage } from 'node:http'
import type { Outbound } from '../endpoints/endpoint.ts'
import type { Report } from '../ports/report.ts'
import { type Arrival, addressOf, pathOf } from './exchange.ts'
import type { RequestSpan, Tracing } from './operations/tracing.ts'

/** A request on its way through the server. */
export interface Passage {
  readonly arrival: Arrival
  readonly method: string
  readonly path: string
  /** As `performance.now()` says it. */
  readonly began: number
  readonly address: string | undefined
  readonly span?: RequestSpan
}

/**
 * Notes a request that comes in.
 * @param paths what it is told apart by: all others are `other`, so that nothing that somebody sends is told on
 */
export function beginPassage(
  request: IncomingMessage,
  arrival: Arrival,
  { paths, tracing }: { readonly paths: ReadonlySet<string>; readonly tracing?: Tracing | undefined },
): Passage {
  const { method = '', socket } = request
  const written = pathOf(request)
  const named = {
    method: methods.has(method) ? method : 'other',
    path: paths.has(written) ? written : 'other',
  }
  const span = tracing?.begin(request, named)
  return { arrival, ...named, began: performance.now(), address: addressOf(socket), ...(span && { span }) }
}

/**
 * What is told of an answered request: the one line of the log, what figures count, how its span ends.
 * @param told what was declined, or that it was answered, and who said to ask
 */
export function reportAnswer(
  { status, decision: { client, ...decided } = {} }: Pick<Outbound, 'status' | 'decision'>,
  { method, path, began, address, span }: Omit<Passage, 'arrival'>,
  told: Report,
): Report {
  return {
    ...told,
    ...(client !== undefined && { client }),
    request: {
      method,
      path,
      status,
      ms: Math.round((performance.now() - began) * 1000) / 1000,
      ...(address !== undefined && { address }),
      ...decided,
      ...span?.ids,
    },
  }
}

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
