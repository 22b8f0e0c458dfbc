import type { Contest } from './contests.ts'

/** One round of one contestant. */
export interface Round {
  readonly perSecond: number
  /** CPU seconds of the server per request. */
  readonly cpu: number
  /** The share of its core that the load generator used. */
  readonly busy: number
  /** The share of its core that the server used. */
  readonly serverBusy: number
}

/** The medians of a contestant, and the first one's ratios to it, round by round. */
export interface Row {
  readonly perSecond: number
  /** Microseconds. */
  readonly cpu: number
  readonly busy: number
  readonly serverBusy: number
  /** The first one's rate over this one's. */
  readonly rateRatio: Spread
  /** This one's CPU per request over the first one's. */
  readonly cpuRatio: Spread
}

/** Lowest, median, highest. */
export type Spread = readonly [low: number, median: number, high: number]

/** What is to be reached, and what was. */
export interface Goal {
  readonly reached: number
  /** Of what: `times bare handler`, `MB more`. */
  readonly of: string
  readonly atLeast?: number
  readonly atMost?: number
}

/** What came out of one thing that was measured. */
export interface Result {
  readonly title: string
  readonly note?: string
  readonly rows?: Readonly<Record<string, Row>>
  /** Which ratio counts. */
  readonly counts?: 'rate' | 'cpu'
  readonly facts?: readonly string[]
  readonly goals: readonly Goal[]
}

/** All that was measured in one run. */
export interface Report {
  readonly node: string
  readonly processor: string
  readonly results: Readonly<Record<string, Result>>
  /** What could not be measured, and why. */
  readonly leftOut: readonly string[]
}

/**
 * Where rates are compared, each server is one that keeps its core this busy, while the generator does not. Otherwise the
 * generator was the limit, or other programs took the core.
 */
const busyEnough = 0.85

/** Compares the first contestant with every other, round by round, so that a machine's drift cancels. */
export function compare(contest: Contest, seen: Readonly<Record<string, readonly Round[]>>): Result {
  const [first = []] = Object.values(seen)
  const rows = Object.fromEntries(
    Object.entries(seen).map(([who, rounds]) => [
      who,
      {
        perSecond: median(rounds.map((round) => round.perSecond)),
        cpu: median(rounds.map((round) => round.cpu)) * 1e6,
        busy: median(rounds.map((round) => round.busy)),
        serverBusy: median(rounds.map((round) => round.serverBusy)),
        rateRatio: spread(rounds.map((round, index) => (first[index]?.perSecond ?? 0) / round.perSecond)),
        cpuRatio: spread(rounds.map((round, index) => round.cpu / (first[index]?.cpu ?? 1))),
      },
    ]),
  )
  const isLimit = Object.values(rows).every(({ busy, serverBusy }) => busy <= busyEnough && serverBusy >= busyEnough)
  const counts = contest.counts ?? (isLimit ? 'rate' : 'cpu')
  const reached = (who: string) => (counts === 'cpu' ? rows[who]?.cpuRatio[1] : rows[who]?.rateRatio[1]) ?? 0
  return {
    title: contest.title,
    ...(contest.note !== undefined && { note: contest.note }),
    rows,
    counts,
    goals: Object.entries(contest.goals).map(([over, atLeast]) => ({
      reached: reached(over),
      of: `times ${over}`,
      atLeast,
    })),
  }
}

/** The results for people. */
export function renderText({ node, processor, results, leftOut }: Report): string {
  const lines = [`Node ${node}, ${processor}`]
  for (const result of Object.values(results)) {
    lines.push('', result.title.replaceAll('`', ''), '')
    if (result.rows) lines.push(...table(result.rows), '')
    lines.push(...conclusions(result).map((line) => `  ${line}`))
  }
  if (leftOut.length > 0) lines.push('', ...leftOut.map((each) => `Left out: ${each}`))
  return lines.join('\n')
}

/** What follows from a result, a sentence each. */
export function conclusions({ rows = {}, counts, facts = [], goals }: Result): string[] {
  const [first] = Object.keys(rows)
  return [
    ...(counts === undefined ? [] : [`${first}: the ${counts === 'cpu' ? 'CPU' : 'rate'} ratio counts.`]),
    ...facts,
    ...goals.map(({ reached, of, atLeast, atMost }) => {
      const isReached = reached >= (atLeast ?? -Infinity) && reached <= (atMost ?? Infinity)
      const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
      return `${reached.toFixed(2)} ${of} (${wanted} wanted: ${isReached ? 'reached' : 'missed'})`
    }),
  ]
}

/** A share of one. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

/** A ratio. */
export function times([low, middle, high]: Spread): string {
  return `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}

function table(rows: NonNullable<Result['rows']>): string[] {
  const [first] = Object.keys(rows)
  const lines = [
    `  ${'server'.padEnd(27)}${'req/s'.padStart(8)}${'CPU us/req'.padStart(12)}${'generator'.padStart(11)}${'server'.padStart(8)}   the first over it, by rate    by CPU`,
  ]
  for (const [who, { perSecond, cpu, busy, serverBusy, rateRatio, cpuRatio }] of Object.entries(rows)) {
    const ratios = who === first ? '' : `   ${times(rateRatio).padEnd(27)}   ${times(cpuRatio)}`
    lines.push(
      `  ${who.padEnd(27)}${perSecond.toFixed(0).padStart(8)}${cpu.toFixed(1).padStart(12)}${percent(busy).padStart(11)}${percent(serverBusy).padStart(8)}${ratios}`,
    )
  }
  return lines
}

function spread(values: readonly number[]): Spread {
  return [Math.min(...values), median(values), Math.max(...values)]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
