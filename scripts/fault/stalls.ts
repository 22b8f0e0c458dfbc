import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { plantFamilies, settings } from './families.ts'
import { createVictim, holdfast, type Victim } from './victim.ts'

/** What a server did while something else was done to its database. */
export interface Phase {
  readonly name: string
  readonly answered: number
  /** Of those that asked for a reference token, in milliseconds. */
  readonly p50: number
  readonly p99: number
  /** The longest that its event loop was held up, in milliseconds. */
  readonly stall: number
  /** How long its log was at the end, in bytes. */
  readonly log: number
}

/** The phases, and how long a start took, in milliseconds. */
export interface Stalls {
  readonly bytes: number
  readonly phases: readonly Phase[]
  readonly ready: readonly number[]
}

/**
 * Measures a server whose database has so many rows, while it serves nothing else, purges a tenth of them, is backed up, has its
 * integrity checked, is read by somebody for long, and is killed and started again.
 */
export async function measureStalls(rows: number, seconds: number, tell: (line: string) => void): Promise<Stalls> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
  const victim = await createVictim(folder, settings)
  try {
    await plantFamilies(victim.database, 1)
    tell(`planting ${rows} rows`)
    plantTokens(victim.database, rows)
    const { size: bytes } = statSync(victim.database)
    await victim.start()
    const phases: Phase[] = []
    const measure = async (name: string, work: () => Promise<unknown>) => {
      tell(name)
      const phase = await underLoad(name, victim, work)
      phases.push(phase)
      tell(renderPhase(phase))
    }
    await measure('nothing else', () => pause(seconds * 1000))
    await measure('a backup', () => run(folder, [holdfast, 'backup', join(folder, 'copy.db')]))
    await measure('an integrity check', () => run(folder, ['--eval', checking(victim.database)]))
    await measure('somebody who reads for long', () => run(folder, ['--eval', reading(victim.database, seconds)]))
    await measure('after that', () => pause(seconds * 1000))
    const ready: number[] = []
    for (let start = 0; start < 10; start++) {
      await victim.kill()
      ready.push(await victim.start())
    }
    expireTokens(victim.database)
    await measure('the purge of a tenth', () => untilPurged(victim))
    return { bytes, phases, ready: ready.toSorted((one, other) => one - other) }
  } finally {
    await victim.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A line of the table. */
export function renderPhase({ name, answered, p50, p99, stall, log }: Phase): string {
  return [
    name.padEnd(30),
    String(answered).padStart(8),
    ...[p50, p99, stall].map((each) => each.toFixed(1).padStart(9)),
    `${(log / 1_048_576).toFixed(1)} MiB`.padStart(12),
  ].join('')
}

/** Eight at a time, each as soon as it has its answer. */
async function underLoad(name: string, victim: Victim, work: () => Promise<unknown>): Promise<Phase> {
  const took: number[] = []
  let isOver = false
  const machine = { grant_type: 'client_credentials', client_id: 'machine', client_secret: 'secret' }
  const ask = async (): Promise<void> => {
    while (!isOver) {
      const began = performance.now()
      const { status } = await victim.post('/token', machine)
      if (status !== 200) throw new Error(`${name}: the server answered ${status}`)
      took.push(performance.now() - began)
      await pause(10)
    }
  }
  await victim.metrics()
  const asking = Promise.all(Array.from({ length: 8 }, ask))
  await Promise.race([work(), asking])
  isOver = true
  await asking
  const lag = (await victim.metrics()).get('nodejs_eventloop_lag_max_seconds') ?? Number.NaN
  const sorted = took.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  const log = statSync(`${victim.database}-wal`).size
  return { name, answered: took.length, p50: at(0.5), p99: at(0.99), stall: lag * 1000, log }
}

async function run(folder: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`)
}

function checking(file: string): string {
  return `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(file)}, { readOnly: true }).prepare('pragma integrity_check').all()`
}

/** A transaction that sees one moment, and so keeps the log from beginning anew. */
function reading(file: string, seconds: number): string {
  return `const database = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(file)}, { readOnly: true })
    database.exec('begin')
    database.prepare('select count(*) from client').get()
    setTimeout(() => database.exec('commit'), ${seconds * 1000})`
}

function plantTokens(file: string, rows: number): void {
  const database = new DatabaseSync(file)
  const names = 'hash, jti, client_id, subject, scope, audience, confirmation, authorization_id, actor, issued, expires'
  database.exec(`
    pragma synchronous = off;
    with recursive number(value) as (select 1 union all select value + 1 from number where value < ${rows})
    insert into reference_token (${names})
    select hex(randomblob(22)), hex(randomblob(16)), 'machine', 'machine', 'api1', '["https://api.test"]', '{"x5t#S256":"' || hex(randomblob(22)) || '"}', null, null, 1, 4000000000 + value
    from number;
    pragma wal_checkpoint(truncate)`)
  database.close()
}

function expireTokens(file: string): void {
  const database = new DatabaseSync(file, { timeout: 5000 })
  database.exec(
    'update reference_token set expires = expires - 3999000000 where expires >= 4000000000 and expires % 10 = 0',
  )
  database.close()
}

async function untilPurged({ database: file }: Victim): Promise<void> {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  const left = database.prepare('select 1 from reference_token where expires < 1000000000 limit 1')
  while (left.get() !== undefined) await pause(100)
  database.close()
}
