import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findViolations, type Operation } from '../../packages/server/src/store/history.fixture.ts'
import type { Chance } from './chance.ts'
import { plantFamilies, settings } from './families.ts'
import { createLoad, type Load } from './load.ts'
import { createVictim, type Victim } from './victim.ts'
import { askDatabase, askServer } from './witnesses.ts'

/** What a run has found. */
export interface Verdict {
  /** How often something was done to the server. */
  readonly injected: number
  readonly acknowledged: number
  /** What may have happened or not: a fault has hit it, or what followed from it. */
  readonly unanswered: number
  readonly violations: readonly string[]
  /** Milliseconds until the server has answered again, in order of size. */
  readonly ready: readonly number[]
  /** Where the database and the history are kept, when something was violated. */
  readonly kept?: string
}

/** How much of what was acknowledged last is asked of the server after each start. The database is asked everything. */
const freshest = 24

/**
 * Kills `holdfast serve` again and again while sixteen ask it for tokens, and looks after each start and at the end whether
 * anything that it had acknowledged is gone.
 */
export async function killServer(
  kills: number,
  chance: Chance,
  tell: (line: string) => void = () => {},
): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
  const victim = await createVictim(folder, settings)
  let isKept = false
  try {
    const families = await plantFamilies(victim.database, 500 + kills * 120)
    const load = createLoad(victim, families, chance)
    const ready: number[] = []
    const violations: string[] = []
    await victim.start()
    for (let kill = 1; kill <= kills; kill++) {
      const before = load.operations.length
      await underLoad(victim, load, chance.between(5, 500))
      ready.push(await victim.start())
      const fresh = load.operations.slice(Math.max(before, load.operations.length - freshest))
      violations.push(...(await findViolations(askable(fresh), askServer(victim, load))))
      tell(`kill ${kill} of ${kills}: ${load.operations.length} operations, ${violations.length} violations`)
    }
    await victim.stop()
    const database = askDatabase(victim.database)
    violations.push(...database.damage(), ...(await findViolations(load.operations, database)))
    database.close()
    isKept = violations.length > 0
    if (isKept) writeHistory(join(folder, 'history.jsonl'), load.operations)
    return { ...verdictOf(kills, load.operations, violations, ready), ...(isKept && { kept: folder }) }
  } finally {
    await victim.kill()
    if (!isKept) rmSync(folder, { recursive: true, force: true })
  }
}

function writeHistory(file: string, operations: readonly Operation[]): void {
  writeFileSync(file, operations.map((each) => `${JSON.stringify(each)}\n`).join(''))
}

async function underLoad(victim: Victim, load: Load, milliseconds: number): Promise<void> {
  let isOver = false
  const working = load.work(() => isOver)
  await pause(milliseconds)
  isOver = true
  await victim.kill()
  await working
}

/** What the server can say: of a refresh token only whether it is used up. */
function askable(operations: readonly Operation[]): readonly Operation[] {
  return operations.filter(({ what, key }) => what !== 'insert' || !key.startsWith('refresh '))
}

function verdictOf(
  injected: number,
  operations: readonly Operation[],
  violations: readonly string[],
  ready: readonly number[],
): Verdict {
  // What is issued to a family is acknowledged by the answer that used something up for it.
  const answers = operations.filter(({ what, family }) => what !== 'insert' || family === undefined)
  const unanswered = answers.filter(({ outcome }) => outcome === 'unknown').length
  return {
    injected,
    acknowledged: answers.length - unanswered,
    unanswered,
    violations,
    ready: ready.toSorted((one, other) => one - other),
  }
}
