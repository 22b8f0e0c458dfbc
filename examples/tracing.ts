// Spans of the server, a line of JSON each:
//
//   npx -c 'NODE_OPTIONS="--import ./examples/tracing.ts" holdfast serve --config holdfast.yaml'
//
// with `tracing: true` in the settings. In place of `toFile` any exporter of OpenTelemetry will do, such as
// `new OTLPTraceExporter()` of @opentelemetry/exporter-trace-otlp-http.
import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node'

const toFile: SpanExporter = {
  export(spans, done) {
    for (const span of spans) {
      const { traceId, spanId } = span.spanContext()
      const parent = span.parentSpanContext?.spanId
      appendFileSync(
        'spans.jsonl',
        `${JSON.stringify({ name: span.name, traceId, spanId, parent, ...span.attributes })}\n`,
      )
    }
    done({ code: 0 })
  },
  async shutdown() {},
}

// Node loads this file in the thread of the database too, which makes no spans.
if (isMainThread) {
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(toFile)] })
  provider.register()
  process.once('beforeExit', () => void provider.shutdown())
}
