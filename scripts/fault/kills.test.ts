import process from 'node:process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryFile } from '../../packages/server/src/store/temporary-store.fixture.ts'
import { createChance } from './chance.ts'
import type { Flaw } from './flaws.ts'
import { killServer } from './kills.ts'
import { runStore } from './store-process.ts'
import { checkStore } from './system-calls.ts'

const kills = 50

/** Kills a process with a store twice, and checks the database that it leaves. */
async function killStore(flaw?: Flaw): Promise<readonly string[]> {
  const file = temporaryFile(onTestFinished)
  const operations = []
  for (const name of ['a', 'b']) {
    const end = await runStore({ file, name, milliseconds: 20_000, killAfter: 200, ...(flaw && { flaw }) })
    expect(end.signal).toBe('SIGKILL')
    operations.push(...end.operations)
  }
  return await checkStore(file, { operations })
}

describe('[F01] a server that is killed while sixteen use it', () => {
  it('has lost nothing, lets nothing be used twice, revives nothing', { timeout: 600_000 }, async () => {
    const seed = process.pid
    const { injected, acknowledged, unanswered, violations, ready } = await killServer(kills, createChance(seed))
    expect(violations, `seed ${seed}`).toEqual([])
    expect(injected).toBe(kills)
    expect(ready).toHaveLength(kills)
    expect(acknowledged).toBeGreaterThan(kills * 20)
    expect(unanswered).toBeGreaterThan(kills)
  })
})

describe('the checker, of a store that is killed', () => {
  it('finds nothing when the store is right', { timeout: 60_000 }, async () => {
    expect(await killStore()).toEqual([])
  })

  it.each<[Flaw, string]>([
    ['answers before COMMIT', 'S1'],
    ['looks first and marks later', 'S2'],
    ['forgets revocations at restart', 'S3'],
  ])('finds one that %s', { timeout: 60_000 }, async (flaw, violation) => {
    expect((await killStore(flaw)).join()).toContain(violation)
  })
})
