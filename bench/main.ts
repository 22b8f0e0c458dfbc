import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { OutgoingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createCertificateAuthority, createClientCertificate, issueCertificate } from '@holdfast/pop/certificates'
import { type Child, start } from './child.ts'
import type { Load, Measured } from './load.ts'
import { createProofs, readProofKey } from './proofs.ts'
import { type Comparison, type ComparisonName, compare, type Round, render } from './report.ts'
import { client, dpopClient, type Usage } from './target.ts'

const help = `Compares Holdfast with its peers in one run: interleaved rounds over HTTPS, 16 kept-alive connections with a client
certificate, server and load generator on separate cores where there are two.

  npm run bench -- [--seconds 5] [--rounds 5] [--only issuance|guard|dpop|memory] [--json]

What counts is the ratio within a run, since machines are noisy: of requests per second, or of the server's CPU time
per request where a server was not the limit: its core less than 0.85 busy, or the generator's more.`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const form = new URLSearchParams({ grant_type: 'client_credentials', ...client }).toString()
const dpopForm = new URLSearchParams({ grant_type: 'client_credentials', ...dpopClient }).toString()
const headers = { 'content-type': 'application/x-www-form-urlencoded' }
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const place = (name: string) => join(folder, name)

/** So many requests stand for a second where each brings a proof of its own: less than a round takes anywhere. */
const provenPerSecond = { issuance: 1600, guard: 4800 }

interface Target {
  readonly child: Child
  readonly port: number
}

/** Starts a target on a free port, on the servers' core. */
async function target(program: string, issuer = 0, flags: readonly string[] = []): Promise<Target> {
  const port = await freePort()
  return {
    child: await start(`./targets/${program}.ts`, [folder, String(port), String(issuer)], {
      core: 0,
      ca: place('ca.pem'),
      flags,
    }),
    port,
  }
}

async function issuance(load: Child): Promise<Comparison> {
  const targets = {
    holdfast: await target('issuer-holdfast'),
    'oidc-provider': await target('issuer-oidc-provider'),
    'bare handler': await target('issuer-bare'),
  }
  return await rounds('issuance', load, targets, ({ port }) => ({
    url: `https://localhost:${port}/token`,
    method: 'POST',
    headers,
    body: form,
  }))
}

/** Each use of a proof is recorded before the answer leaves: in SQLite on disk, or in the memory of oidc-provider. */
async function dpopIssuance(load: Child): Promise<Comparison> {
  const targets = {
    holdfast: await target('issuer-holdfast'),
    'oidc-provider': await target('issuer-oidc-provider'),
  }
  return await rounds('dpop-issuance', load, targets, ({ port }) => ({
    url: `https://localhost:${port}/token`,
    method: 'POST',
    headers,
    body: dpopForm,
    amount: provenPerSecond.issuance * Number(values.seconds),
    proofs: {},
  }))
}

async function guard(load: Child): Promise<Comparison> {
  const issuer = await target('issuer-holdfast')
  const token = await requestToken(issuer.port, form)
  const targets = {
    holdfast: await target('api-holdfast', issuer.port),
    'express-oauth2-jwt-bearer': await target('api-express', issuer.port),
    'bare handler': await target('api-bare', issuer.port),
  }
  const comparison = await rounds('guard', load, targets, ({ port }) => ({
    url: `https://localhost:${port}/`,
    method: 'GET',
    headers: { authorization: `Bearer ${token}` },
  }))
  await issuer.child.stop()
  return comparison
}

async function dpopGuard(load: Child): Promise<Comparison> {
  const issuer = await target('issuer-holdfast')
  const url = `https://localhost:${issuer.port}/token`
  const [dpop] = await createProofs(1, readProofKey(clientPair.key), { method: 'POST', url })
  const accessToken = await requestToken(issuer.port, dpopForm, { dpop })
  const targets = {
    holdfast: await target('api-holdfast', issuer.port),
    'express-oauth2-jwt-bearer': await target('api-express-dpop', issuer.port),
    'bare verify': await target('api-bare-verify', issuer.port),
  }
  const comparison = await rounds('dpop-guard', load, targets, ({ port }) => ({
    url: `https://localhost:${port}/`,
    method: 'GET',
    headers: { authorization: `DPoP ${accessToken}` },
    amount: provenPerSecond.guard * Number(values.seconds),
    proofs: { accessToken },
  }))
  await issuer.child.stop()
  return comparison
}

/** Resident memory after 20 000 tokens and after 200 000. */
async function memory(load: Child): Promise<{ readonly before: number; readonly after: number }> {
  const { child, port } = await target('issuer-holdfast', 0, ['--max-semi-space-size=4'])
  const url = `https://localhost:${port}/token`
  const after = async (amount: number) => {
    requireAllServed(
      'memory',
      await load.ask<Measured>({ url, method: 'POST', headers, body: form, seconds: 0, amount } satisfies Load),
    )
    return (await child.ask<Usage>({})).memory
  }
  const before = await after(20_000)
  const end = await after(180_000)
  await child.stop()
  return { before, after: end }
}

async function rounds(
  name: ComparisonName,
  load: Child,
  targets: Readonly<Record<string, Target>>,
  loadOf: (target: Target) => Omit<Load, 'seconds'>,
): Promise<Comparison> {
  const seen: Record<string, Round[]> = {}
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [who, each] of Object.entries(targets)) {
      process.stderr.write(
        `${name}: ${round === 0 ? 'warming up' : `round ${round} of ${values.rounds}`}, ${who}${' '.repeat(20)}\r`,
      )
      const before = await each.child.ask<Usage>({})
      const measured = await load.ask<Measured>({ ...loadOf(each), seconds: Number(values.seconds) } satisfies Load)
      const { cpu } = await each.child.ask<Usage>({})
      requireAllServed(`${name}, ${who}`, measured)
      if (round > 0) {
        const row = {
          perSecond: measured.perSecond,
          cpu: (cpu - before.cpu) / measured.requests,
          busy: measured.busy,
          serverBusy: (cpu - before.cpu) / measured.duration,
        }
        seen[who] = [...(seen[who] ?? []), row]
      }
    }
  }
  process.stderr.write(`${' '.repeat(79)}\r`)
  await Promise.all(Object.values(targets).map(({ child }) => child.stop()))
  return compare(name, seen)
}

function requireAllServed(where: string, { failed, requests }: Measured): void {
  if (failed > 0 || requests === 0) throw new Error(`${where}: ${failed} requests failed, ${requests} were answered`)
}

async function makeMaterials(): Promise<void> {
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
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(place(name), text, { mode: 0o600 })
  clientPair = { ca: authority.certificate, cert: certificate, key }
}

let clientPair = { ca: '', cert: '', key: '' }

async function requestToken(port: number, body: string, more: OutgoingHttpHeaders = {}): Promise<string> {
  const options = { ...clientPair, method: 'POST', headers: { ...headers, ...more } }
  const outgoing = request(`https://localhost:${port}/token`, options)
  outgoing.end(body)
  const [response] = await once(outgoing, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return String(JSON.parse(text).access_token)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

async function main(): Promise<void> {
  if (values.help) return console.log(help)
  await makeMaterials()
  const load = await start('./load.ts', [folder], { core: 1, ca: place('ca.pem') })
  const wanted = (name: string) =>
    values.only === undefined || values.only === name || name.startsWith(`${values.only}-`)
  const results = {
    node: process.version,
    processor: cpus()[0]?.model,
    ...(wanted('issuance') && { issuance: await issuance(load) }),
    ...(wanted('guard') && { guard: await guard(load) }),
    ...(wanted('dpop-issuance') && { 'dpop-issuance': await dpopIssuance(load) }),
    ...(wanted('dpop-guard') && { 'dpop-guard': await dpopGuard(load) }),
    ...(wanted('memory') && { memory: await memory(load) }),
  }
  await load.stop()
  console.log(values.json ? JSON.stringify(results, undefined, 2) : render(results))
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
