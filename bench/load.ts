import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import autocannon from 'autocannon'

/** What one round of load is. */
export interface Load {
  readonly url: string
  readonly seconds: number
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Instead of seconds: so many requests. */
  readonly amount?: number
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

const folder = process.argv[2] ?? ''
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const tlsOptions = { ca: read('ca.pem'), cert: read('client.pem'), key: read('client.key'), servername: 'localhost' }

process.on('message', async ({ url, seconds, method, headers, body, amount }: Load) => {
  const before = process.cpuUsage()
  const result = await autocannon({
    url,
    method,
    headers,
    connections: 16,
    ...(body === undefined ? {} : { body }),
    ...(amount === undefined ? { duration: seconds } : { amount }),
    tlsOptions,
  })
  const { user, system } = process.cpuUsage(before)
  const requests = result['2xx']
  const failed = result.non2xx + result.errors + result.timeouts
  process.send?.({
    requests,
    perSecond: requests / result.duration,
    failed,
    duration: result.duration,
    busy: (user + system) / 1e6 / result.duration,
  } satisfies Measured)
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
