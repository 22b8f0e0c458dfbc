import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import autocannon from 'autocannon'
import { createProofs, readProofKey } from './proofs.ts'

/** What one round of load is. */
export interface Load {
  readonly url: string
  readonly seconds: number
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  /** Several take turns. */
  readonly body?: string | readonly string[]
  /** Instead of seconds: so many requests. */
  readonly amount?: number
  /** Each request brings a DPoP proof of its own, made before the round: `amount` says how many. */
  readonly proofs?: { readonly accessToken?: string }
}

/** What one round of load saw. */
export interface Measured {
  readonly requests: number
  readonly perSecond: number
  readonly failed: number
  /** The share of its core that the generator used. */
  readonly busy: number
  /** Seconds. */
  readonly duration: number
}

/** What is used of autocannon's. */
interface Connection {
  setRequests(requests: readonly { readonly headers: Load['headers']; readonly body?: string }[]): void
  on(event: 'done', listener: () => void): void
}

const connections = 16
const folder = process.argv[2] ?? ''
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const tlsOptions = { ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key'), servername: 'localhost' }
const proofKey = readProofKey(tlsOptions.key)

process.on('message', async ({ url, seconds, method, headers, body, amount = 0, proofs }: Load) => {
  const made = proofs ? await createProofs(amount, proofKey, { method, url, ...proofs }) : []
  const share = Math.ceil(made.length / connections)
  const bodies = typeof body === 'object' ? [...body] : []
  const bodyShare = Math.ceil(bodies.length / connections)
  const watch = createWatch()
  const result = await autocannon({
    url,
    method,
    headers,
    connections,
    ...(typeof body === 'string' ? { body } : {}),
    ...(amount === 0 ? { duration: seconds } : { amount }),
    tlsOptions,
    setupClient(client: Connection) {
      if (made.length > 0) client.setRequests(made.splice(-share).map((dpop) => ({ headers: { ...headers, dpop } })))
      if (bodies.length > 0) client.setRequests(bodies.splice(-bodyShare).map((each) => ({ headers, body: each })))
      client.on('done', watch.stop)
      watch.start()
    },
  })
  const requests = result['2xx']
  const failed = result.non2xx + result.errors + result.timeouts
  const { duration, cpu } = watch
  process.send?.({
    requests,
    perSecond: requests / duration,
    failed,
    duration,
    busy: cpu / duration,
  } satisfies Measured)
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')

/** Measures from its last start, when all connections are set up, to its last stop, when all are done: in seconds. */
function createWatch() {
  const watch = { duration: 0, cpu: 0, start, stop }
  let began = performance.now()
  let used = process.cpuUsage()
  function start(): void {
    began = performance.now()
    used = process.cpuUsage()
  }
  function stop(): void {
    const { user, system } = process.cpuUsage(used)
    watch.cpu = (user + system) / 1e6
    watch.duration = (performance.now() - began) / 1000
  }
  return watch
}
