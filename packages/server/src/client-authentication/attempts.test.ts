import { Refused } from '@holdfast/pop'
import { describe, expect, it } from 'vitest'
import type { Count } from '../ports/store.ts'
import { authenticationLimit, createAttempts } from './attempts.ts'
import { createSharedCounts } from './shared-counts.ts'

const { most, window, reason } = authenticationLimit

describe('wrong guesses', () => {
  it('are answered up to the limit', async () => {
    const { attempts } = await failing(most - 1)
    expect(await reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('are refused past the limit, with the seconds to wait', async () => {
    const { attempts } = await failing(most)
    expect(() => attempts.requireLeft('client', 'here')).toThrow(
      expect.objectContaining({ reason, retryAfter: window }),
    )
  })

  it('count for one name at one address', async () => {
    const { attempts } = await failing(most)
    expect(await reasonOf(() => attempts.requireLeft('client', 'elsewhere'))).toBeUndefined()
    expect(await reasonOf(() => attempts.requireLeft('other', 'here'))).toBeUndefined()
  })

  it.each([
    ['the last second of the window', window - 1, reason],
    ['the next second', window, undefined],
  ])('are remembered until %s', async (_, later, expected) => {
    const { attempts, clock } = await failing(most)
    clock.now += later
    expect(await reasonOf(() => attempts.requireLeft('client', 'here'))).toBe(expected)
  })

  it('are forgotten when the clock was put back', async () => {
    const { attempts, clock } = await failing(most)
    clock.now -= 3600
    expect(await reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('of 10,000 pairs are remembered, and the oldest is forgotten', async () => {
    const { attempts } = await failing(most)
    for (let other = 1; other < 10_000; other++) await attempts.settle(`client${other}`, 'here', 'wrong')
    expect(await reasonOf(() => attempts.requireLeft('client', 'here'))).toBe(reason)
    await attempts.settle('client10000', 'here', 'wrong')
    expect(await reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('from one network of IPv6 are one address', async () => {
    const { attempts } = await failing(most, '2001:db8:1:2::1')
    expect(await reasonOf(() => attempts.requireLeft('client', '2001:db8:1:2:ffff::9'))).toBe(reason)
    expect(await reasonOf(() => attempts.requireLeft('client', '2001:0db8:0001:0002::9'))).toBe(reason)
    expect(await reasonOf(() => attempts.requireLeft('client', '2001:db8:1:3::1'))).toBeUndefined()
  })

  it('from IPv4 are one address however it arrives', async () => {
    const { attempts } = await failing(most, '192.0.2.1')
    expect(await reasonOf(() => attempts.requireLeft('client', '::ffff:192.0.2.1'))).toBe(reason)
    expect(await reasonOf(() => attempts.requireLeft('client', '::ffff:192.0.2.2'))).toBeUndefined()
  })

  it('that are judged at the same time are answered up to the limit, and so is a right one', async () => {
    const { attempts } = await failing(0)
    const outcomes = Array.from({ length: 64 }, (_, index) => (index === 40 ? 'right' : 'wrong'))
    for (let guess = 0; guess < 64; guess++) attempts.requireLeft('client', 'here')
    const reasons = await Promise.all(
      outcomes.map((outcome) => reasonOf(() => attempts.settle('client', 'here', outcome))),
    )
    expect(reasons).toEqual(outcomes.map((_, index) => (index < most ? undefined : reason)))
  })
})

describe('what may be had only so often', () => {
  it('is had up to the limit, and not once more until the window ends', async () => {
    const { attempts, clock } = await failing(0)
    for (let taken = 0; taken < most; taken++) await attempts.take('client', 'here')
    expect(await reasonOf(() => attempts.take('client', 'here'))).toBe(reason)
    clock.now += window
    expect(await reasonOf(() => attempts.take('client', 'here'))).toBeUndefined()
  })
})

describe('what nodes count together', () => {
  it.each(['settle', 'take'] as const)('is answered up to the limit, whoever is asked: %s', async (how) => {
    const { nodes } = sharing(2)
    const reasons: (string | undefined)[] = []
    for (let guess = 0; guess < most + 4; guess++) reasons.push(await reasonOf(() => guessAt(nodes[guess % 2], how)))
    expect(reasons).toEqual(reasons.map((_, index) => (index < most ? undefined : reason)))
  })

  it.each(['settle', 'take'] as const)('is answered up to the limit, all at once: %s', async (how) => {
    const { nodes, database } = sharing(3)
    const guesses = Array.from({ length: 64 }, (_, index) => reasonOf(() => guessAt(nodes[index % 3], how)))
    const reasons = await Promise.all(guesses)
    expect(reasons.filter((each) => each === undefined)).toHaveLength(most)
    const [{ count = 0 } = {}] = database.rows.values()
    expect(count).toBeLessThanOrEqual(most + nodes.length - 1)
  })

  it('is not known to a right guess at another node until that one has counted: one more at each node', async () => {
    const { nodes } = sharing(2)
    for (let guess = 0; guess < most; guess++) await guessAt(nodes[0], 'settle')
    expect(await reasonOf(() => nodes[1]?.settle('client', 'here', 'right'))).toBeUndefined()
    expect(await reasonOf(() => guessAt(nodes[1], 'settle'))).toBe(reason)
    expect(await reasonOf(() => nodes[1]?.settle('client', 'here', 'right'))).toBe(reason)
  })

  it('names nobody in the database', async () => {
    const { nodes, database } = sharing(1)
    await nodes[0]?.settle('alice', '192.0.2.1', 'wrong')
    expect([...database.rows.keys()].join()).toMatch(/^[\w-]{43}$/)
  })

  it('is counted by each node while the database is away, reported once, and added when it is back', async () => {
    const { nodes, database, reports } = sharing(1)
    database.isAway = true
    for (let guess = 0; guess < most; guess++) await guessAt(nodes[0], 'settle')
    expect(await reasonOf(() => guessAt(nodes[0], 'settle'))).toBe(reason)
    expect(reports).toEqual(['counts_not_shared'])
    database.isAway = false
    await expect.poll(() => [...database.rows.values()][0]?.count, { timeout: 3000 }).toBe(most)
  })

  it('is added when the database is back, also where nothing more is counted', async () => {
    const { nodes, database } = sharing(1)
    database.isAway = true
    await guessAt(nodes[0], 'settle')
    database.isAway = false
    await expect.poll(() => [...database.rows.values()][0]?.count, { timeout: 3000 }).toBe(1)
  })

  it('waits half a second for a database that hangs, once', async () => {
    const { nodes, database } = sharing(1)
    database.hangs = true
    const began = performance.now()
    await guessAt(nodes[0], 'settle')
    expect(performance.now() - began).toBeGreaterThan(450)
    expect(performance.now() - began).toBeLessThan(1500)
  })

  it('adds a hundredth of a high limit at a time, within a second or two', async () => {
    const { nodes, database } = sharing(1, { ...authenticationLimit, most: 1000, counted: 'later' })
    for (let taken = 0; taken < 9; taken++) await nodes[0]?.take('client', 'here')
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect(database.rows.size).toBe(0)
    await nodes[0]?.take('client', 'here')
    await expect.poll(() => [...database.rows.values()][0]?.count, { timeout: 2000 }).toBe(10)
  })
})

async function failing(times: number, address = 'here') {
  const clock = { now: 1_800_000_000 }
  const attempts = createAttempts(() => clock.now, authenticationLimit)
  for (let failure = 0; failure < times; failure++) await attempts.settle('client', address, 'wrong')
  return { attempts, clock }
}

/** Nodes that share a database, which takes a moment to answer. */
function sharing(howMany: number, limit = authenticationLimit) {
  const database = { rows: new Map<string, Count>(), isAway: false, hangs: false }
  const reports: string[] = []
  const now = () => 1_800_000_000
  const count = async ({ counts }: { readonly counts: readonly Count[] }) => {
    await new Promise((resolve) => setTimeout(resolve, database.hangs ? 60_000 : 2))
    if (database.isAway) throw new Error('away')
    return counts.map((each) => {
      const total = { ...each, count: each.count + (database.rows.get(each.key)?.count ?? 0) }
      database.rows.set(each.key, total)
      return total
    })
  }
  const report = ({ event }: { readonly event: string }) => reports.push(event)
  const nodes = Array.from({ length: howMany }, () =>
    createAttempts(now, limit, createSharedCounts({ store: { count }, now, report })),
  )
  return { nodes, database, reports }
}

async function guessAt(node: ReturnType<typeof createAttempts> | undefined, how: 'settle' | 'take'): Promise<void> {
  if (how === 'take') await node?.take('client', 'here')
  else await node?.settle('client', 'here', 'wrong')
}

async function reasonOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof Refused ? error.reason : String(error)
  }
}
