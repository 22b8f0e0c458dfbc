import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Bench, createBench, tell } from './bench.ts'
import { writePage } from './page.ts'
import { type Report, type Result, renderText } from './report.ts'
import { dpopGuard, guard } from './runs/guard.ts'
import { introspection } from './runs/introspection.ts'
import { dpopIssuance, dpopStore, issuance, reference } from './runs/issuance.ts'
import { memory } from './runs/memory.ts'
import { purge } from './runs/purge.ts'
import { redis } from './runs/redis.ts'
import { refusals } from './runs/refusals.ts'
import { scale, scalePostgres } from './runs/scale.ts'
import { workers } from './runs/workers.ts'

/** What is measured, in this order. */
const usual = {
  issuance: one('issuance', issuance),
  guard: one('guard', guard),
  'dpop-issuance': one('dpop-issuance', dpopIssuance),
  'dpop-guard': one('dpop-guard', dpopGuard),
  reference: one('reference', reference),
  'dpop-store': one('dpop-store', dpopStore),
  introspection: one('introspection', introspection),
  memory: one('memory', memory),
} satisfies Runs

/** These take minutes each, or a database server: by name, or with --all. */
const heavy = {
  redis: one('redis', redis),
  workers,
  scale,
  'scale-postgres': scalePostgres,
  purge: one('purge', purge),
  refusals: one('refusals', refusals),
} satisfies Runs

type Runs = Readonly<Record<string, (bench: Bench) => Promise<Readonly<Record<string, Result>>>>>

const help = `Compares Holdfast with its peers in one run: interleaved rounds over HTTPS, 16 kept-alive connections with a client
certificate, server and load generator on separate cores where there are two.

  npm run bench -- [--seconds 4] [--rounds 5] [--only <name>] [--all] [--json] [--markdown]

  --only      one of: ${Object.keys(usual).join(', ')};
              these are left out otherwise: ${Object.keys(heavy).join(', ')};
              "dpop" stands for all that begin with it
  --all       everything: it takes half an hour
  --json      for machines
  --markdown  writes what was measured into docs/performance.md too

What counts is the ratio within a run, since machines are noisy: of requests per second, or of the server's CPU time
per request where a server was not the limit: its core less than 0.85 busy, or the generator's more. Where a disk or a
second core decides it is the rate in any case.`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function chosen(): Runs {
  const { only } = values
  if (only === undefined) return values.all ? { ...usual, ...heavy } : usual
  const isMeant = (name: string) => name === only || name.startsWith(`${only}-`)
  return Object.fromEntries(Object.entries<Runs[string]>({ ...usual, ...heavy }).filter(([name]) => isMeant(name)))
}

function one(name: string, run: (bench: Bench) => Promise<Result>): Runs[string] {
  return async (bench) => ({ [name]: await run(bench) })
}

async function measure(bench: Bench): Promise<Report> {
  let results: Report['results'] = {}
  const leftOut: string[] = []
  for (const [name, run] of Object.entries(chosen())) {
    try {
      results = { ...results, ...(await run(bench)) }
    } catch (cause) {
      tell('')
      leftOut.push(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  }
  return { node: process.version, processor: cpus()[0]?.model ?? 'unknown', results, leftOut }
}

async function main(folder: string): Promise<void> {
  const bench = await createBench(folder, { seconds: Number(values.seconds), rounds: Number(values.rounds) })
  const report = await measure(bench)
  await bench.load.stop()
  if (values.markdown) writePage(report)
  console.log(values.json ? JSON.stringify(report, undefined, 2) : renderText(report))
  if (Object.keys(report.results).length === 0) process.exitCode = 1
}

if (values.help) console.log(help)
else {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  try {
    await main(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
