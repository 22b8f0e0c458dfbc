import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { api, freePort, type Harness, startServer } from './harness.ts'

const exporter = new InMemorySpanExporter()
const SERVER = 1
const CLIENT = 2
const ERROR = 2

beforeEach(() => exporter.reset())

const spans = () => exporter.getFinishedSpans()
const requestSpan = () => spans().find(({ kind }) => kind === SERVER)
const childrenOf = (span: ReadableSpan | undefined) =>
  spans().filter(({ parentSpanContext }) => parentSpanContext?.spanId === span?.spanContext().spanId)

describe('spans for an SDK that is not there', () => {
  it('are missed in the log, once, and requests are answered', async () => {
    const server = await startServer((settings) => ({ ...settings, tracing: true }))
    onTestFinished(() => server.close())
    for (const _ of [1, 2]) expect((await server.token()).status).toBe(200)
    expect(server.answered.at(-1)?.request).not.toHaveProperty('trace_id')
    expect(server.reports).toEqual([{ level: 'warn', event: 'tracing_without_sdk' }])
  })
})

describe('spans for an SDK that throws', () => {
  it.each(['onStart', 'onEnd'])('in %s decide about no request', async (when) => {
    const quiet = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} }
    const throwing = () => {
      throw new Error(when)
    }
    trace.disable()
    new NodeTracerProvider({ spanProcessors: [{ ...quiet, [when]: throwing }] }).register()
    onTestFinished(() => trace.disable())
    const server = await startServer((settings) => ({ ...settings, tracing: true }))
    onTestFinished(() => server.close())
    expect((await server.token({ client_id: 'reference' })).status).toBe(200)
    expect(server.answered).toHaveLength(1)
  })
})

describe('spans', () => {
  let server: Harness
  beforeAll(async () => {
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
    server = await startServer((settings) => ({ ...settings, tracing: true }))
  })
  afterAll(() => server?.close())

  it('tell what was decided about a request', async () => {
    await server.token()
    const span = requestSpan()
    expect(span?.name).toBe('POST /token')
    expect(span?.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/token',
      'url.path': '/token',
      'url.scheme': 'https',
      'http.response.status_code': 200,
      'holdfast.client': 'client',
      'holdfast.grant': 'client_credentials',
      'holdfast.binding': 'none',
      'holdfast.format': 'jwt',
    })
    expect(span?.parentSpanContext).toBeUndefined()
  })

  it.each([
    ['signatures', 'client', 'sign'],
    ['the store', 'reference', 'store issue'],
  ])('show how long %s took', async (_, client_id, name) => {
    await server.token({ client_id })
    const children = childrenOf(requestSpan())
    expect(children.map((each) => each.name)).toContain(name)
    expect(children.map(({ kind }) => kind)).toEqual(children.map(() => CLIENT))
  })

  it('continue what the caller has begun', async () => {
    const [trace, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
    await server.token({}, { headers: { traceparent: `00-${trace}-${parent}-01` } })
    expect(requestSpan()?.spanContext().traceId).toBe(trace)
    expect(requestSpan()?.parentSpanContext?.spanId).toBe(parent)
  })

  it('begin anew where the caller sends nonsense', async () => {
    await server.token({}, { headers: { traceparent: '00-0-0-01' } })
    expect(requestSpan()?.parentSpanContext).toBeUndefined()
  })

  it('of a request that is declined are no errors', async () => {
    await server.token({ client_secret: 'wrong' })
    expect(requestSpan()?.status.code).not.toBe(ERROR)
    expect(requestSpan()?.attributes).toMatchObject({
      'http.response.status_code': 401,
      'holdfast.reason': 'client_secret_wrong',
    })
    expect(requestSpan()?.attributes).not.toHaveProperty('holdfast.grant')
  })

  it('are found by the log', async () => {
    await server.token()
    const { traceId, spanId } = requestSpan()?.spanContext() ?? {}
    expect(server.answered.at(-1)?.request).toMatchObject({ trace_id: traceId, span_id: spanId })
    await server.token({ client_secret: 'wrong' })
    expect(server.reports.at(-1)?.request?.trace_id).toBe(spans().at(-1)?.spanContext().traceId)
  })

  it('do not repeat an address that we do not know', async () => {
    await server.send({ on: 'public', method: 'PATCH', path: '/eyJhbGci', headers: {} })
    expect(requestSpan()?.name).toBe('other')
    expect(textOf(spans())).not.toContain('eyJhbGci')
  })

  it('hold no token, secret, proof or address', async () => {
    const now = Math.floor(Date.now() / 1000)
    const dpop = signProof(createTestProofKey(), { method: 'POST', url: `${server.issuer}/token`, now })
    const { access_token } = (await server.token({ client_id: 'reference' }, { headers: { dpop } })).json
    await server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token: access_token })
    await server.post(`/token?${access_token}`, {})
    await server.token({ client_secret: `mistaken ${access_token}` })
    expect(spans().length).toBeGreaterThan(4)
    for (const canary of [access_token, dpop, 'api1-secret', 'mistaken', '127.0.0.1', api])
      expect([canary, textOf(spans()).includes(canary)]).toEqual([canary, false])
  })
})

describe('spans of a request for which something is away', () => {
  it('are errors', async () => {
    const away = `redis://127.0.0.1:${await freePort()}`
    const server = await startServer((settings) => ({ ...settings, tracing: true, replay: { redis: [away] } }))
    onTestFinished(() => server.close())
    const now = Math.floor(Date.now() / 1000)
    const dpop = signProof(createTestProofKey(), { method: 'POST', url: `${server.issuer}/token`, now })
    expect((await server.token({}, { headers: { dpop } })).status).toBe(503)
    expect(requestSpan()?.status.code).toBe(ERROR)
    expect(requestSpan()?.attributes).toMatchObject({ 'http.response.status_code': 503 })
    const failed = childrenOf(requestSpan()).find(({ name }) => name === 'remember proof')
    expect(failed?.status.code).toBe(ERROR)
  })
})

describe('without tracing in the settings', () => {
  it('there are no spans, whatever the process was started with', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    await server.token()
    expect(spans()).toEqual([])
    expect(server.answered.at(-1)?.request).not.toHaveProperty('trace_id')
  })
})

describe('examples/tracing.ts', () => {
  it('writes the spans of holdfast serve, the last ones too', async () => {
    const server = await startServer((settings) => ({ ...settings, tracing: true, log: { level: 'info' } }))
    await server.server.close()
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    onTestFinished(() => rmSync(server.directory, { recursive: true, force: true }))
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(server.settings))
    const recipe = fileURLToPath(new URL('../examples/tracing.ts', import.meta.url))
    const child = spawn(process.execPath, [programPath, 'serve'], {
      cwd: directory,
      env: { ...process.env, NODE_OPTIONS: `--import ${recipe}` },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let log = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      log += more
    })
    await expect.poll(() => log, { timeout: 15_000 }).toContain('"event":"listening"')
    await server.token()
    const exited = once(child, 'close')
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    const lines = readFileSync(join(directory, 'spans.jsonl'), 'utf8').trim().split('\n')
    const span = lines.map((line) => JSON.parse(line)).find(({ name }) => name === 'POST /token')
    expect(log).toContain(`"trace_id":"${span.traceId}","span_id":"${span.spanId}"`)
  })
})

const programPath = fileURLToPath(new URL('../bin/holdfast.js', import.meta.resolve('holdfast')))

/** What an exporter could send on. */
function textOf(spans: readonly ReadableSpan[]): string {
  return spans
    .map(({ name, attributes, events, status, links }) => JSON.stringify({ name, attributes, events, status, links }))
    .join('\n')
}
