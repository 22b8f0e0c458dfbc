import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { createMemoryReplay, type ProofUse, type Replay } from '../../proof/replay.ts'
import { createSqliteReplay } from './sqlite-replay.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-clock-'))
let files = 0
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What happens to a memory: time passes, the clock leaps, somebody shows a new proof, or one that was used. */
type Step =
  | { readonly kind: 'wait' | 'leap'; readonly seconds: number }
  | { readonly kind: 'use' }
  | { readonly kind: 'repeat'; readonly which: number }

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 120 }) }),
    fc.record({
      kind: fc.constant('leap' as const),
      seconds: fc.oneof(fc.constantFrom(0, 300, -300), fc.integer({ min: -300, max: 300 })),
    }),
    fc.record({ kind: fc.constant('use' as const) }),
    fc.record({ kind: fc.constant('repeat' as const), which: fc.nat({ max: 9 }) }),
  ),
  { maxLength: 60, size: 'max' },
)

/** What the judge of proofs takes: at most so old, and so far ahead. */
const [oldest, aheadMost] = [60, 10]

/** The uses that a memory has taken more than once. */
async function takenTwice(replay: Replay, story: readonly Step[]): Promise<readonly ProofUse[]> {
  const taken: ProofUse[] = []
  const twice: ProofUse[] = []
  let [time, leap] = [1_800_000_000, 0]
  for (const step of story) {
    if (step.kind === 'wait') time += step.seconds
    if (step.kind === 'leap') leap = step.seconds
    const now = time + leap
    if (step.kind === 'use') {
      const use = { key: `use ${taken.length} ${now}`, made: now, expires: now + oldest }
      if (await replay.use(use, now)) taken.push(use)
    }
    const again = step.kind === 'repeat' ? taken[step.which] : undefined
    if (again && again.made - aheadMost <= now && now <= again.expires && (await replay.use(again, now)))
      twice.push(again)
  }
  return twice
}

describe.each<[string, () => Replay & Partial<Disposable>]>([
  ['in memory', createMemoryReplay],
  ['in an SQLite file', () => createSqliteReplay(join(directory, `${files++}.db`))],
])('[F16] a replay memory %s, whose clock leaps by five minutes ahead and back', (_, create) => {
  it('takes nothing twice', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (story) => {
        const replay = create()
        const twice = await takenTwice(replay, story)
        replay[Symbol.dispose]?.()
        expect(twice).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  it('takes new proofs again as soon as the clock has come to where it was', async () => {
    const replay = create()
    const use = (now: number) => replay.use({ key: `at ${now}`, made: now, expires: now + oldest }, now)
    expect([await use(1000), await use(1300), await use(1010), await use(1240)]).toEqual([true, true, false, true])
    replay[Symbol.dispose]?.()
  })
})

describe('[F16] the story of a clock', () => {
  it('catches a memory that forgets by its clock alone', async () => {
    const forgetful = (): Replay => {
      const used = new Map<string, number>()
      return {
        use({ key, expires }, now) {
          for (const [each, until] of used) if (until < now) used.delete(each)
          if (used.has(key)) return false
          used.set(key, expires)
          return true
        },
      }
    }
    const found = await fc.check(
      fc.asyncProperty(steps, async (story) => (await takenTwice(forgetful(), story)).length === 0),
      { numRuns: 2000 },
    )
    expect(found.failed).toBe(true)
  })
})
