import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { findViolations, type Operation, type Witness } from '../../packages/server/src/store/history.fixture.ts'
import type { Chance } from './chance.ts'
import { createDisk } from './disk.ts'
import { type DiskEvent, readTrace, tracing } from './disk-trace.ts'
import type { Flaw } from './flaws.ts'
import type { Verdict } from './kills.ts'
import { runStore } from './store-process.ts'

/** How long a store is recorded, in milliseconds, and which one. */
export interface Recording {
  readonly milliseconds?: number
  readonly flaw?: Flaw
  readonly tell?: (line: string) => void
}

/**
 * Records what a store does to the disk, from its first start to its close, and cuts the power at so many moments: what the
 * disk may hold then is opened, and checked against what had been acknowledged by then.
 */
export async function cutPower(
  points: number,
  chance: Chance,
  { tell = () => {}, ...recording }: Recording = {},
): Promise<Verdict> {
  const events = await record(recording)
  const moments = Array.from({ length: points }, () => chance.between(1, events.length)).sort((a, b) => a - b)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
  const violations: string[] = []
  const acknowledged: Operation[] = []
  const disk = createDisk()
  let moment = 0
  try {
    for (const [index, next] of moments.entries()) {
      for (const event of events.slice(moment, next)) {
        if (event.does === 'print') acknowledged.push(...operationsIn(event.text))
        else disk.happen(event)
      }
      moment = next
      const found = await checkFiles(disk.lose(chance), acknowledged, join(folder, String(index)))
      violations.push(...found.map((each) => `after event ${moment}: ${each}`))
      tell(`power loss ${index + 1} of ${points}: ${violations.length} violations`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const isLate = ({ does }: DiskEvent) => does === 'synchronise'
  return {
    injected: events.some(isLate) ? points : 0,
    acknowledged: acknowledged.length,
    unanswered: 0,
    violations,
    ready: [],
  }
}

async function record({ milliseconds = 1500, flaw }: Omit<Recording, 'tell'>): Promise<readonly DiskEvent[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
  const place = join(folder, 'data')
  mkdirSync(place)
  try {
    const trace = join(folder, 'trace')
    await runStore({
      file: join(place, 'holdfast.db'),
      name: 'key ',
      milliseconds,
      wrapper: [...tracing, '-o', trace],
      ...(flaw && { flaw }),
    })
    return readTrace(trace, place)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function operationsIn(text: string): readonly Operation[] {
  return text.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line)] : []))
}

/** The index of the log is not on the disk, but in memory that is shared: it is made anew. */
async function checkFiles(
  files: ReadonlyMap<string, Buffer>,
  operations: readonly Operation[],
  folder: string,
): Promise<readonly string[]> {
  mkdirSync(folder)
  for (const [name, content] of files) {
    if (name === 'holdfast.db' || name === 'holdfast.db-wal') writeFileSync(join(folder, name), content)
  }
  const database = new DatabaseSync(join(folder, 'holdfast.db'))
  try {
    const damage = database.prepare('pragma integrity_check').all()
    if (damage.length !== 1 || damage[0]?.integrity_check !== 'ok') return ['the database is damaged']
    return await findViolations(operations, witnessOf(database))
  } catch (cause) {
    return [`the database cannot be read: ${cause instanceof Error ? cause.message : cause}`]
  } finally {
    database.close()
    rmSync(folder, { recursive: true })
  }
}

function witnessOf(database: DatabaseSync): Witness {
  const isMade = database.prepare(`select 1 from sqlite_schema where name = 'single_use'`).get() !== undefined
  if (!isMade) return { isThere: async () => false, isUsable: async () => true }
  const token = database.prepare('select 1 from reference_token where hash = ?')
  const use = database.prepare(`select 1 from single_use where kind = 'proof' and key = ?`)
  return {
    isThere: async (key) => token.get(key) !== undefined,
    isUsable: async (key) => use.get(key) === undefined,
  }
}
