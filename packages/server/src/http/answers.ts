import type { IncomingMessage } from 'node:http'
import { isJsonObject, Refused } from '@holdfast/pop'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { claimedClient } from '../client-authentication/credentials.ts'
import type { Context } from '../context.ts'
import type { Endpoint, Outbound } from '../endpoints/endpoint.ts'
import { renderRefusal, reportOf } from '../endpoints/refusal.ts'
import type { Report } from '../ports/report.ts'
import { isPreflight, renderPreflight, shareWith } from './cors.ts'
import { bodyOf, nodeHeaders, pathOf } from './exchange.ts'
import { type Passage, reportAnswer } from './passage.ts'

/** What the listeners know. */
export interface Surroundings {
  passageOf(request: IncomingMessage): Passage
  /** The server is being closed: each answer ends its connection. */
  isDraining(): boolean
}

/** How requests are answered. */
export interface Answers {
  readonly send: (outbound: Outbound, request: FastifyRequest, reply: FastifyReply) => Sent
  readonly refuse: (refused: Refused, request: FastifyRequest, reply: FastifyReply, more?: Headers) => Sent
  /** Where no endpoint takes the request: 404, 405, or what a browser asks before it sends one. */
  readonly refuseAddress: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
}

type Sent = FastifyReply | Promise<FastifyReply>
type Headers = Readonly<Record<string, string>>

/**
 * Creates the one door through which answers leave, each told once. Scripts of clients may read them where their origin
 * is registered.
 * @param mounted the endpoints, by their paths
 */
export function createAnswers(
  mounted: ReadonlyMap<string, Endpoint>,
  { report: tell, clients, settings }: Context,
  { passageOf, isDraining }: Surroundings,
): Answers {
  /** Past Fastify's serialisation and hooks, of which we use none. */
  function write(outbound: Outbound, request: FastifyRequest, reply: FastifyReply, refusal?: Report): FastifyReply {
    const passage = passageOf(request.raw)
    const claimed = refusal || outbound.decision ? {} : claimIn(request)
    const report = reportAnswer(outbound, passage, refusal ?? { level: 'info', event: 'answered', ...claimed })
    tell(report)
    passage.span?.end(report)
    const { status, headers, body } = outbound
    const length = status === 304 || status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    if (isDraining()) reply.raw.setHeader('connection', 'close')
    reply
      .hijack()
      .raw.writeHead(status, nodeHeaders({ ...headers, ...length, 'x-content-type-options': 'nosniff' }))
      .end(body)
    return reply
  }

  function send(outbound: Outbound, request: FastifyRequest, reply: FastifyReply, refusal?: Report): Sent {
    return request.raw.headers.origin === undefined
      ? write(outbound, request, reply, refusal)
      : share(outbound, request, reply, refusal)
  }

  async function share(outbound: Outbound, request: FastifyRequest, reply: FastifyReply, refusal?: Report) {
    const headers = { ...outbound.headers, ...(await sharedWith(request, refusal)) }
    return write({ ...outbound, headers }, request, reply, refusal)
  }

  /** Nothing where certificates are asked for: browsers have no business there. */
  async function sharedWith(request: FastifyRequest, refusal?: Report): Promise<Outbound['headers']> {
    const { origin } = request.raw.headers
    const endpoint = mounted.get(pathOf(request.raw))
    if (origin === undefined || !endpoint || passageOf(request.raw).arrival.asks) return {}
    // Whoever sends too much makes nobody look up the clients that it names.
    const client = refusal?.reason === 'address_requests_exhausted' ? undefined : clientOf(request)
    return await shareWith({ origin, client }, endpoint, clients)
  }

  function refuse(refused: Refused, request: FastifyRequest, reply: FastifyReply, more: Headers = {}): Sent {
    const { headers, ...rest } = renderedFor(refused, request)
    const refusal = { ...reportOf(refused), ...claimIn(request) }
    return send({ ...rest, headers: { ...headers, ...more } }, request, reply, refusal)
  }

  function renderedFor(refused: Refused, { raw, headers }: FastifyRequest): Outbound {
    const own = mounted.get(pathOf(raw))?.renderRefusal?.(refused, { headers: raw.headersDistinct }, settings)
    return own ?? renderRefusal(refused, /^basic( |$)/i.test(headers.authorization ?? ''))
  }

  async function refuseAddress(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const endpoint = mounted.get(pathOf(request.raw))
    const served = endpoint && (endpoint.aliased || !passageOf(request.raw).arrival.aliasesOnly)
    if (!served) return refuse(new Refused('endpoint_unknown'), request, reply)
    const allow = endpoint.methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ')
    const preflight = isPreflight(request.raw) && renderPreflight(await sharedWith(request), allow)
    return preflight
      ? write(preflight, request, reply)
      : refuse(new Refused('method_not_allowed'), request, reply, { allow })
  }

  return { send, refuse, refuseAddress }
}

/** The client that it names, not believed. */
function clientOf(request: FastifyRequest): string | undefined {
  return claimedClient({ headers: request.raw.headersDistinct }, bodyOf(request).form ?? pairsOf(request))
}

function claimIn(request: FastifyRequest): Pick<Report, 'client'> {
  const client = clientOf(request)
  return client === undefined ? {} : { client: client.slice(0, 256) }
}

/** The query, for the log: what browsers bring names its client there. */
function pairsOf({ query }: FastifyRequest): [string, string][] {
  return isJsonObject(query) ? Object.entries(query).map(([name, value]) => [name, String(value)]) : []
}
