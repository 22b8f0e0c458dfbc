import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import type { SettingsInput } from 'holdfast'
import { lastingPort } from '../../conformance/lasting-port.ts'

/** What came back. */
export interface Answer {
  readonly status: number
  readonly retryAfter?: string
  readonly json: Readonly<Record<string, unknown>>
}

/** The real `holdfast serve` in a folder of its own, over TLS: what is killed and started again. */
export interface Victim {
  readonly database: string
  /**
   * Starts it.
   * @param wrapper what runs it, such as a tracer, in the same process
   * @returns milliseconds until it has answered a request
   */
  start(wrapper?: readonly string[]): Promise<number>
  /** Kills it as the kernel does when memory is short, and waits until it is gone. */
  kill(): Promise<void>
  /** Waits until it has ended by itself. @returns its exit code */
  ended(): Promise<number | null>
  /** Lets it finish. @returns its exit code */
  stop(): Promise<number | null>
  /** Posts a form. Rejects when the server goes away before it has answered. */
  post(path: string, form: Readonly<Record<string, string>>): Promise<Answer>
  /** Gets a resource. */
  get(path: string): Promise<Answer>
  /** What the server counts, by name. */
  metrics(): Promise<ReadonlyMap<string, number>>
  /** A command of the operator, through the socket beside the database. */
  administer(command: string, data: object): Promise<Answer>
}

/** The command line. */
export const holdfast = fileURLToPath(new URL('../../packages/server/bin/holdfast.js', import.meta.url))

/** Makes the folder ready; starts nothing yet. `change` is merged into the settings. */
export async function createVictim(folder: string, change: Partial<SettingsInput> = {}): Promise<Victim> {
  const authority = await createCertificateAuthority({ name: 'Faults', keyType: 'P-256' })
  const pair = await issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  const port = await lastingPort()
  const operations = await lastingPort()
  const settings = {
    issuer: `https://localhost:${port}`,
    layout: 'single',
    operations: { port: operations },
    listen: { public: { port, host: '127.0.0.1', certificate: pair.certificate, key: pair.key } },
    ...change,
  }
  writeFileSync(join(folder, 'holdfast.yaml'), JSON.stringify(settings), { mode: 0o600 })
  const place = { host: '127.0.0.1', servername: 'localhost', port, ca: authority.certificate }
  let child: ChildProcess | undefined
  let agent = new Agent()

  async function start(wrapper: readonly string[] = []): Promise<number> {
    const began = performance.now()
    const [command = '', ...rest] = [...wrapper, process.execPath, holdfast, 'serve']
    const started = spawn(command, rest, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    child = started
    agent = new Agent({ keepAlive: true, maxSockets: 32 })
    await untilPrints(started, '"event":"listening"')
    await send({ ...place, agent, method: 'GET', path: '/.well-known/openid-configuration' })
    return performance.now() - began
  }

  async function ended(): Promise<number | null> {
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child?.exitCode ?? null
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const ending = child
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode ?? null
    const gone = once(ending, 'exit')
    ending.kill(signal)
    await gone
    agent.destroy()
    return ending.exitCode
  }

  return {
    database: join(folder, 'holdfast.db'),
    start,
    ended,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    post: (path, form) =>
      send(
        {
          ...place,
          agent,
          method: 'POST',
          path,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        },
        new URLSearchParams(form).toString(),
      ),
    get: (path) => send({ ...place, agent, method: 'GET', path }),
    async metrics() {
      const response = await fetch(`http://127.0.0.1:${operations}/metrics`)
      const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
    },
    administer: (command, data) =>
      send(
        {
          socketPath: join(folder, 'holdfast.sock'),
          method: 'POST',
          path: `/${command}`,
          headers: { 'content-type': 'application/json' },
        },
        JSON.stringify(data),
      ),
  }
}

function send(options: RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const receive = (response: IncomingMessage): void => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (more: string) => (text += more))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          ...(response.headers['retry-after'] !== undefined && { retryAfter: response.headers['retry-after'] }),
          json: parse(text),
        }),
      )
      response.on('error', reject)
    }
    const outgoing = options.socketPath === undefined ? request(options, receive) : plainRequest(options, receive)
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function parse(text: string): Answer['json'] {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

async function untilPrints(child: ChildProcess, text: string): Promise<void> {
  const ended = new AbortController()
  const exit = (code: number | null) => ended.abort(new Error(`holdfast serve ended with ${code}`))
  child.once('exit', exit)
  let seen = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  ended.signal.addEventListener('abort', () => reject(ended.signal.reason))
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    // What it prints later is read and dropped, so that it never waits for us.
    seen = seen.length > 100_000 ? '' : seen + more
    if (seen.includes(text)) resolve()
  })
  await promise
  child.off('exit', exit)
}
