import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { SettingsInput } from 'holdfast'

/** What a target is started with beside its folder and port. */
export interface TargetOptions {
  /** The port of whoever issues the tokens. */
  readonly issuer?: number
  /** Where it keeps what it keeps: the folder of this run when left out. */
  readonly directory?: string
  /** What is different in Holdfast's settings. */
  readonly settings?: Partial<SettingsInput>
  /** How many processes. */
  readonly workers?: number
}

/** What every target is started with: files in one folder, all made for this run. */
export interface Materials extends Omit<TargetOptions, 'issuer'> {
  readonly directory: string
  readonly certificate: string
  readonly key: string
  readonly issuer: string
  readonly port: number
}

/** What a target answers when it is asked. */
export interface Usage {
  /** CPU seconds since its start. */
  readonly cpu: number
  /** Resident memory in bytes. */
  readonly memory: number
}

/** What a target can be asked for beside its usage. */
export interface Question {
  /** Moves its clock, in seconds. */
  readonly advance?: number
}

/** The API that the tokens are for, and what both issuers give: the same claims, an hour long. */
export const api = 'https://api.test'

/** The client that is bound by its certificate. */
export const client = { client_id: 'client', client_secret: 'a-secret-of-the-benchmark-with-256-bit', scope: 'api1' }

/** The client that is bound by DPoP. */
export const dpopClient = { ...client, client_id: 'dpop-client' }

/** The client that is bound by its certificate, and whose tokens are references. */
export const referenceClient = { ...client, client_id: 'reference-client' }

/** The API as a client: it asks about tokens. */
export const caller = { client_id: 'caller', client_secret: client.client_secret }

/** Reads what the benchmark made for this target. */
export function materials(): Materials {
  const folder = process.argv[2] ?? ''
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const port = Number(process.argv[3])
  const options = JSON.parse(process.argv[4] ?? '{}') as TargetOptions
  return {
    directory: folder,
    ...options,
    certificate: read('server.pem'),
    key: read('server.key'),
    issuer: `https://localhost:${options.issuer}`,
    port,
  }
}

/** Tells the benchmark that requests are served, and answers what they cost. */
export function serve({
  usage = ownUsage,
  asked,
  stop = () => process.exit(0),
}: {
  usage?: () => Usage
  asked?: (question: Question) => void
  stop?: () => void
} = {}): void {
  process.on('message', (question: Question) => {
    asked?.(question)
    process.send?.(usage())
  })
  process.on('disconnect', stop)
  process.send?.('ready')
}

function ownUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpu: (user + system) / 1e6, memory: process.memoryUsage.rss() }
}
