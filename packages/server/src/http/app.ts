import type { IncomingMessage } from 'node:http'
import { type Inbound, isJsonObject, type Reason, Refused } from '@holdfast/pop'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { claimedClient } from '../client-authentication/credentials.ts'
import type { Context } from '../context.ts'
import type { Endpoint, Outbound } from '../endpoints/endpoint.ts'
import { refusalOf, renderRefusal, reportOf } from '../endpoints/refusal.ts'
import type { Report } from '../ports/report.ts'
import { limitAddresses } from './address-limit.ts'
import { isPreflight, renderPreflight, shareWith } from './cors.ts'
import { type Passage, reportAnswer } from './decision.ts'
import { inboundOf, nodeHeaders, parseForm, parseJson } from './exchange.ts'

/** The largest body, in bytes. */
export const mostBodyBytes = 65_536

/** Our words for what Fastify and the connection decline. */
const reasons: Readonly<Record<string, Reason>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'body_not_form',
  FST_ERR_CTP_INVALID_TYPE: 'body_not_form',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request_malformed',
  FST_ERR_BAD_URL: 'endpoint_unknown',
  ECONNRESET: 'request_incomplete',
}

/** What the listeners know. */
export interface Surroundings {
  passageOf(request: IncomingMessage): Passage
  /** The server is being closed: each answer ends its connection. */
  isDraining(): boolean
}

/** Mounts the endpoints on Fastify. Every refusal leaves in our own words; paths match to the letter. */
export function createApp(
  endpoints: readonly Endpoint[],
  context: Context,
  { passageOf, isDraining }: Surroundings,
): FastifyInstance {
  const app = fastify({
    bodyLimit: mostBodyBytes,
    exposeHeadRoutes: true,
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => refuse(translate(error), request, reply),
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_, body, done) => {
    try {
      done(null, parseForm(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })

  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, ({ raw }, body, done) => {
    const takesJson = paths.get(addressOf({ raw }))?.takes === 'json'
    const parsed = takesJson ? parseJson(body as Buffer) : undefined
    if (parsed) done(null, parsed)
    else done(new Refused(takesJson ? 'body_not_json' : 'body_not_form'))
  })

  /** Every answer leaves here, and is told once. Past Fastify's serialisation and hooks, of which we use none. */
  const write = (outbound: Outbound, request: FastifyRequest, reply: FastifyReply, refusal?: Report): FastifyReply => {
    const passage = passageOf(request.raw)
    const claimed = refusal || outbound.decision ? {} : claimIn(request)
    const report = reportAnswer(outbound, passage, refusal ?? { level: 'info', event: 'answered', ...claimed })
    context.report(report)
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

  const send = (outbound: Outbound, request: FastifyRequest, reply: FastifyReply, refusal?: Report) =>
    request.raw.headers.origin === undefined
      ? write(outbound, request, reply, refusal)
      : share(outbound, request, reply, refusal)

  const share = async (
    { headers, ...rest }: Outbound,
    request: FastifyRequest,
    reply: FastifyReply,
    refusal?: Report,
  ) => write({ ...rest, headers: { ...headers, ...(await sharedWith(request)) } }, request, reply, refusal)

  /** Nothing where certificates are asked for: browsers have no business there. */
  const sharedWith = async (request: FastifyRequest): Promise<Outbound['headers']> => {
    const { origin } = request.raw.headers
    const endpoint = paths.get(addressOf(request))
    if (origin === undefined || !endpoint || passageOf(request.raw).arrival.asks) return {}
    return await shareWith({ origin, client: clientOf(request) }, endpoint, context.clients)
  }

  const refuse = (
    refused: Refused,
    request: FastifyRequest,
    reply: FastifyReply,
    more: Readonly<Record<string, string>> = {},
  ) => {
    const refusal = { ...reportOf(refused), ...claimIn(request) }
    const { status, headers, body } = renderAt(addressOf(request), refused, request)
    return send({ status, headers: { ...headers, ...more }, body }, request, reply, refusal)
  }
  const renderAt = (path: string, refused: Refused, { raw, headers }: FastifyRequest): Outbound =>
    paths.get(path)?.renderRefusal?.(refused, { headers: raw.headersDistinct }, context.settings) ??
    renderRefusal(refused, /^basic( |$)/i.test(headers.authorization ?? ''))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (request.is404) return refuseAddress(request, reply)
    const refused = translate(error)
    return refuse(refused, request, reply, refused.reason === 'body_too_large' ? { connection: 'close' } : {})
  })

  limitAddresses(app, context, refuse)
  const paths = new Map<string, Endpoint>()
  for (const endpoint of endpoints) {
    for (const path of endpoint.paths(context.settings)) {
      paths.set(path, endpoint)
      app.route({
        method: [...endpoint.methods],
        url: path,
        async handler(request, reply) {
          const { arrival, span } = passageOf(request.raw)
          requirePath(path, request)
          if (arrival.aliasesOnly && !endpoint.aliased) throw new Refused('endpoint_unknown')
          const inbound = inboundOf(request.raw, arrival, bodyOf(request))
          const handle = () => endpoint.handle(inbound, context)
          return send(await (span ? span.within(handle) : handle()), request, reply)
        },
      })
    }
  }
  const refuseAddress = async (request: FastifyRequest, reply: FastifyReply) => {
    const endpoint = paths.get(addressOf(request))
    const served = endpoint && (endpoint.aliased || !passageOf(request.raw).arrival.aliasesOnly)
    if (!served) return refuse(new Refused('endpoint_unknown'), request, reply)
    const allow = endpoint.methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ')
    const preflight = isPreflight(request.raw) && renderPreflight(await sharedWith(request), allow)
    return preflight
      ? write(preflight, request, reply)
      : refuse(new Refused('method_not_allowed'), request, reply, { allow })
  }
  app.setNotFoundHandler(refuseAddress)
  return app
}

/** What the parsers above made of the body: pairs of a form, or an object. */
function bodyOf({ body }: FastifyRequest): Pick<Inbound, 'form' | 'json'> {
  if (Array.isArray(body)) return { form: body }
  return isJsonObject(body) ? { json: body } : {}
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

/** The path as it was written. */
function addressOf({ raw: { url = '' } }: Pick<FastifyRequest, 'raw'>): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

/** The router decodes and forgives; a protocol's address is written in one way. RFC 3986 §6.2. */
function requirePath(path: string, request: FastifyRequest): void {
  if (addressOf(request) !== path) throw new Refused('endpoint_unknown')
}

function translate(error: FastifyError | Error): Refused {
  const reason = 'code' in error ? reasons[error.code] : undefined
  return reason ? new Refused(reason, { cause: error }) : refusalOf(error)
}
