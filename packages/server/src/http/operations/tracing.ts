import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Refused } from '@holdfast/pop'
import {
  type Attributes,
  context as contexts,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Context } from '../../context.ts'
import type { AnsweredRequest, Report } from '../../ports/report.ts'
import type { ActiveKey } from '../../ports/signer.ts'
import type { Store } from '../../ports/store.ts'
import { aroundVerbs } from './around-verbs.ts'

/** Makes spans for an OpenTelemetry SDK that the process was started with; without one they cost little and go nowhere. */
export interface Tracing {
  /** Begins the span of a request, below the one that its `traceparent` names. */
  readonly begin: (request: Pick<IncomingMessage, 'headers'>, named: Named) => RequestSpan
  /** The store, with a span for each verb that a request needs. */
  readonly observeStore: (store: Store, system: string) => Store
  /** The same for signatures, fetched keys and used proofs that are remembered elsewhere. */
  readonly observe: <Part extends Traced>(parts: Part) => Part
}

/** The span of a request. */
export interface RequestSpan {
  /** As the log names it. Nothing where there is no SDK. */
  readonly ids: Pick<AnsweredRequest, 'trace_id' | 'span_id'>
  /** What this does belongs to the request. */
  within<Result>(work: () => Result): Result
  end(report: Report): void
}

type Named = Pick<AnsweredRequest, 'method' | 'path'>
type Traced = Pick<Context, 'signer' | 'fetchKeys' | 'replay'>

/** Spans carry what the log says, but for addresses. https://opentelemetry.io/docs/specs/semconv/http/http-spans/ */
export function createTracing(report: (report: Report) => void): Tracing {
  const tracer = trace.getTracer('holdfast')
  let isHeard = true

  /** Once: an SDK that does not know our version of the API takes no spans either, and does not say so. */
  function tellUnheard(): void {
    if (isHeard) report({ level: 'warn', event: 'tracing_without_sdk' })
    isHeard = false
  }

  /** A span below that of a request; work that belongs to no request has none. */
  async function child<Result>(name: string, attributes: Attributes, work: () => Result | Promise<Result>) {
    if (!trace.getActiveSpan()) return await work()
    const span = started(() => tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }))
    try {
      return await contexts.with(trace.setSpan(contexts.active(), span), work)
    } catch (thrown) {
      if (!(thrown instanceof Refused)) fail(span, thrown instanceof Error ? thrown.name : 'unknown')
      throw thrown
    } finally {
      end(span)
    }
  }

  return {
    begin({ headers }, { method, path }) {
      const route = path === 'other' ? {} : { 'http.route': path, 'url.path': path }
      const attributes = {
        'http.request.method': method === 'other' ? '_OTHER' : method,
        'url.scheme': 'https',
        ...route,
      }
      const span = started(() =>
        tracer.startSpan(
          path === 'other' ? method : `${method} ${path}`,
          { kind: SpanKind.SERVER, attributes },
          propagation.extract<IncomingHttpHeaders>(ROOT_CONTEXT, headers),
        ),
      )
      const { traceId, spanId } = span.spanContext()
      const isKnown = isSpanContextValid(span.spanContext())
      if (!isKnown) tellUnheard()
      return {
        ids: isKnown ? { trace_id: traceId, span_id: spanId } : {},
        within: (work) => contexts.with(trace.setSpan(ROOT_CONTEXT, span), work),
        end(report) {
          span.setAttributes(attributesOf(report))
          if ((report.request?.status ?? 0) >= 500) fail(span, report.reason ?? String(report.request?.status))
          end(span)
        },
      }
    },
    observeStore: (store, system) =>
      aroundVerbs(store, (verb, run) =>
        child(`store ${verb}`, { 'db.system.name': system, 'db.operation.name': verb }, run),
      ),
    observe(parts) {
      const { signer, fetchKeys, replay } = parts
      const signing = (key: ActiveKey): ActiveKey => ({
        ...key,
        sign: (data) => child('sign', { 'holdfast.algorithm': key.algorithm }, () => key.sign(data)),
      })
      return {
        ...parts,
        signer: { ...signer, active: (algorithm) => signing(signer.active(algorithm)) },
        fetchKeys: (uri, options) =>
          child('fetch keys', { 'server.address': new URL(uri).hostname }, () => fetchKeys(uri, options)),
        ...(replay && { replay: { use: (use, now) => child('remember proof', {}, () => replay.use(use, now)) } }),
      }
    },
  }
}

/** What an SDK throws decides about no request, and ends no process. */
function started(start: () => Span): Span {
  try {
    return start()
  } catch {
    return trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
  }
}

function end(span: Span): void {
  try {
    span.end()
  } catch {}
}

/** What a client did wrong is no failure of ours: those of 500 and above are. */
function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function attributesOf({ client, reason, request }: Report): Attributes {
  return {
    'http.response.status_code': request?.status,
    'holdfast.client': client,
    'holdfast.grant': request?.grant,
    'holdfast.binding': request?.binding,
    'holdfast.format': request?.format,
    'holdfast.active': request?.active,
    'holdfast.reason': reason,
  }
}
