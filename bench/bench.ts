import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createCertificateAuthority, createClientCertificate, issueCertificate } from '@holdfast/pop/certificates'
import { type Child, start } from './child.ts'
import { type ContestName, contests } from './contests.ts'
import type { Load, Measured } from './load.ts'
import { compare, type Result, type Round } from './report.ts'
import { client, type TargetOptions, type Usage } from './target.ts'

/** A server that is measured. */
export interface Target {
  readonly child: Child
  readonly port: number
  usage(): Promise<Usage>
}

/** One that takes part in a comparison. */
export interface Contestant {
  readonly target: Target
  readonly load: Omit<Load, 'seconds'>
}

/** How long everything takes. */
export interface Pace {
  readonly seconds: number
  readonly rounds: number
}

/** How a program is started. */
export interface StartOptions extends TargetOptions {
  readonly flags?: readonly string[]
  /** On whatever core is free, instead of the servers' own. */
  readonly anywhere?: boolean
}

/** What every part of the benchmark works with. */
export interface Bench extends Pace {
  readonly load: Child
  /** Of the client, and of the CA of the servers. */
  readonly pair: { readonly ca: string; readonly cert: string; readonly key: string }
  /** The file of the key under which databases seal what is secret. */
  readonly encryptionKey: string
  /** Makes an empty folder. */
  createFolder(name: string): string
  /** Starts a server on a free port. */
  target(program: string, options?: StartOptions): Promise<Target>
  /** Starts a load generator that shares its core with others. */
  startLoad(): Promise<Child>
  /** Asks for a token. */
  token(
    port: number,
    form: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<string>
  /** Lets them take turns, the first one against all others. */
  takeTurns(name: ContestName, contestants: Readonly<Record<string, Contestant>>, load?: Child): Promise<Result>
}

/** The type of the bodies. */
export const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }

/** The body of a request for a token. */
export function tokenForm(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString()
}

/** Makes keys and certificates, starts the load generator. @param folder where everything lies that this run makes */
export async function createBench(folder: string, pace: Pace): Promise<Bench> {
  const place = (name: string) => join(folder, name)
  const pair = await makeMaterials(place)
  const startLoad = (core?: number) => start('./load.ts', [folder], { core, ca: place('ca.pem') })
  const first = await startLoad(1)
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...pair })
  return {
    ...pace,
    pair,
    encryptionKey: place('holdfast.key'),
    load: first,
    startLoad,
    createFolder(name) {
      rmSync(place(name), { recursive: true, force: true })
      mkdirSync(place(name))
      return place(name)
    },
    async target(program, { flags = [], anywhere = false, ...options } = {}) {
      const port = await freePort()
      const args = [folder, String(port), JSON.stringify(options)]
      const core = anywhere ? undefined : 0
      const child = await start(`./targets/${program}.ts`, args, { core, ca: place('ca.pem'), flags })
      return { child, port, usage: () => child.ask<Usage>({}) }
    },
    async token(port, form, headers = {}) {
      const options = { agent, method: 'POST', headers: { ...formHeaders, ...headers } }
      const outgoing = request(`https://localhost:${port}/token`, options)
      outgoing.end(tokenForm(form))
      const [response] = await once(outgoing, 'response')
      let text = ''
      for await (const chunk of response) text += String(chunk)
      const token: unknown = JSON.parse(text).access_token
      if (typeof token !== 'string') throw new Error(`There was no token, but ${text}`)
      return token
    },
    async takeTurns(name, contestants, load = first) {
      const seen: Record<string, Round[]> = {}
      for (let round = 0; round <= pace.rounds; round++) {
        for (const [who, each] of Object.entries(contestants)) {
          tell(`${name}: ${round === 0 ? 'warming up' : `round ${round} of ${pace.rounds}`}, ${who}`)
          const measured = await measure(each, load, pace.seconds, `${name}, ${who}`)
          if (round > 0) seen[who] = [...(seen[who] ?? []), measured]
        }
      }
      tell('')
      return compare(contests[name], seen)
    },
  }
}

/** Stops servers, each once. */
export async function stop(...targets: readonly Target[]): Promise<void> {
  await Promise.all(targets.map(({ child }) => child.stop()))
}

/** @throws Error when a request was declined: then nothing was measured */
export function requireAllServed(where: string, { failed, requests }: Measured): void {
  if (failed > 0 || requests === 0) throw new Error(`${where}: ${failed} requests failed, ${requests} were answered`)
}

/** Says how far it is, on one line. */
export function tell(text: string): void {
  process.stderr.write(`${text.padEnd(79)}\r`)
}

async function measure({ target, load }: Contestant, generator: Child, seconds: number, where: string): Promise<Round> {
  const before = await target.usage()
  const measured = await generator.ask<Measured>({ ...load, seconds } satisfies Load)
  const { cpu } = await target.usage()
  requireAllServed(where, measured)
  return {
    perSecond: measured.perSecond,
    cpu: (cpu - before.cpu) / measured.requests,
    busy: measured.busy,
    serverBusy: (cpu - before.cpu) / measured.duration,
  }
}

async function makeMaterials(place: (name: string) => string): Promise<Bench['pair']> {
  const authority = await createCertificateAuthority({ name: 'Benchmark', keyType: 'P-256' })
  const server = await issueCertificate({
    subject: 'localhost',
    issuer: authority,
    keyType: 'P-256',
    dns: ['localhost'],
  })
  const { certificate, key } = await createClientCertificate({ name: client.client_id, keyType: 'P-256' })
  const files = {
    'ca.pem': authority.certificate,
    'server.pem': server.certificate,
    'server.key': server.key,
    'client.pem': certificate,
    'client.key': key,
    'holdfast.key': randomBytes(32).toString('base64url'),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(place(name), text, { mode: 0o600 })
  return { ca: authority.certificate, cert: certificate, key }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
