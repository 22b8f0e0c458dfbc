import { type Reason, Refused } from '@holdfast/pop'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { refusalOf } from '../endpoints/refusal.ts'
import { exhaustedBy, limitAddresses } from './address-limit.ts'
import { type Answers, createAnswers, type Surroundings } from './answers.ts'
import { bodyOf, inboundOf, parseForm, parseJson, pathOf } from './exchange.ts'

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

/** Mounts the endpoints on Fastify. Every refusal leaves in our own words; paths match to the letter. */
export function createApp(
  endpoints: readonly Endpoint[],
  context: Context,
  surroundings: Surroundings,
): FastifyInstance {
  const places = endpoints.flatMap((endpoint) => endpoint.paths(context.settings).map((path) => ({ path, endpoint })))
  const mounted = new Map(places.map(({ path, endpoint }) => [path, endpoint]))
  const answers = createAnswers(mounted, context, surroundings)
  const app = fastify({
    bodyLimit: mostBodyBytes,
    exposeHeadRoutes: true,
    return503OnClosing: false,
    // What cannot be routed meets no hook: it is counted here.
    frameworkErrors: async (error, request, reply) =>
      answers.refuse((await exhaustedBy(request, context)) ?? translate(error), request, reply),
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
  })
  takeBodies(app, mounted)
  refuseErrors(app, answers)
  limitAddresses(app, context, answers.refuse)
  for (const { path, endpoint } of places) {
    app.route({
      method: [...endpoint.methods],
      url: path,
      async handler(request, reply) {
        const { arrival, span } = surroundings.passageOf(request.raw)
        // The router decodes and forgives; a protocol's address is written in one way. RFC 3986 §6.2.
        if (pathOf(request.raw) !== path) throw new Refused('endpoint_unknown')
        if (arrival.aliasesOnly && !endpoint.aliased) throw new Refused('endpoint_unknown')
        const inbound = inboundOf(request.raw, arrival, bodyOf(request))
        const handle = () => endpoint.handle(inbound, context)
        return answers.send(await (span ? span.within(handle) : handle()), request, reply)
      },
    })
  }
  return app
}

/** Forms, and JSON where an endpoint takes it: nothing else. */
function takeBodies(app: FastifyInstance, mounted: ReadonlyMap<string, Endpoint>): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_, body, done) => {
    try {
      done(null, parseForm(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, ({ raw }, body, done) => {
    const takesJson = mounted.get(pathOf(raw))?.takes === 'json'
    const parsed = takesJson ? parseJson(body as Buffer) : undefined
    if (parsed) done(null, parsed)
    else done(new Refused(takesJson ? 'body_not_json' : 'body_not_form'))
  })
}

function refuseErrors(app: FastifyInstance, { refuse, refuseAddress }: Answers): void {
  app.setNotFoundHandler(refuseAddress)
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (request.is404) return refuseAddress(request, reply)
    const refused = translate(error)
    return refuse(refused, request, reply, refused.reason === 'body_too_large' ? { connection: 'close' } : {})
  })
}

function translate(error: FastifyError | Error): Refused {
  const reason = 'code' in error ? reasons[error.code] : undefined
  return reason ? new Refused(reason, { cause: error }) : refusalOf(error)
}
