import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** What every target is started with: files in one folder, all made for this run. */
export interface Materials {
  readonly folder: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
  readonly issuer: string
  readonly port: number
}

/** What a target is asked and answers, by messages. */
export interface Usage {
  /** CPU seconds since its start. */
  readonly cpu: number
  /** Resident memory in bytes. */
  readonly memory: number
}

/** The API that the tokens are for, and what both issuers give: the same claims, an hour long. */
export const api = 'https://api.test'

/** The client that is bound by its certificate. */
export const client = { client_id: 'client', client_secret: 'a-secret-of-the-benchmark-with-256-bit', scope: 'api1' }

/** The client that is bound by DPoP. */
export const dpopClient = { ...client, client_id: 'dpop-client' }

/** Reads what the benchmark made for this target. */
export function materials(): Materials {
  const folder = process.argv[2] ?? ''
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const port = Number(process.argv[3])
  return {
    folder,
    ca: read('ca.pem'),
    certificate: read('server.pem'),
    key: read('server.key'),
    issuer: `https://localhost:${process.argv[4]}`,
    port,
  }
}

/** Tells the benchmark that requests are served, and answers what they cost. */
export function serve(): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpu: (user + system) / 1e6, memory: process.memoryUsage.rss() } satisfies Usage)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.('ready')
}
