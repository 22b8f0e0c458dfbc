/** One round against one target. */
export interface Round {
  readonly perSecond: number
  /** CPU seconds of the server per request. */
  readonly cpu: number
  /** The share of its core that the load generator used. */
  readonly busy: number
  /** The share of its core that the server used. */
  readonly serverBusy: number
}

/** The medians of a target, and its ratios to Holdfast's, round by round. */
export interface Row {
  readonly perSecond: number
  /** Microseconds. */
  readonly cpu: number
  readonly busy: number
  readonly serverBusy: number
  /** Holdfast's rate over this one's. */
  readonly rateRatio: Spread
  /** This one's CPU per request over Holdfast's. */
  readonly cpuRatio: Spread
}

/** Lowest, median, highest. */
export type Spread = readonly [low: number, median: number, high: number]

/** All targets of one comparison. */
export interface Comparison {
  readonly rows: Readonly<Record<string, Row>>
  /** Which ratio counts. */
  readonly counts: 'rate' | 'cpu'
  readonly goals: readonly Goal[]
}

/** What is to be reached. */
export interface Goal {
  readonly over: string
  readonly wanted: number
  readonly reached: number
}

const titles = {
  issuance: 'Issuance: client credentials, client_secret_post, certificate-bound ES256 JWT',
  guard: 'Guard: certificate-bound ES256 JWT at an API',
  'dpop-issuance': 'Issuance with DPoP: the same, bound by a proof (ES256) whose use is recorded',
  'dpop-guard': 'Guard with DPoP: a proof (ES256) for each request',
} as const

/** What is compared. */
export type ComparisonName = keyof typeof titles

const goals: Readonly<Record<ComparisonName, Readonly<Record<string, number>>>> = {
  issuance: { 'bare handler': 0.75, 'oidc-provider': 2.2 },
  guard: { 'bare handler': 0.75, 'express-oauth2-jwt-bearer': 2.5 },
  'dpop-issuance': { 'oidc-provider': 2 },
  'dpop-guard': { 'bare verify': 0.7, 'express-oauth2-jwt-bearer': 1.5 },
}
const mostMemoryGrowth = 20

/**
 * A rate says something of a server that keeps its core this busy, while the generator does not. Otherwise the
 * generator was the limit, or other programs took the core.
 */
const busyEnough = 0.85

/** Compares every target with Holdfast, round by round, so that a machine's drift cancels. */
export function compare(name: ComparisonName, seen: Readonly<Record<string, readonly Round[]>>): Comparison {
  const ours = seen.holdfast ?? []
  const rows = Object.fromEntries(
    Object.entries(seen).map(([who, rounds]) => [
      who,
      {
        perSecond: median(rounds.map((round) => round.perSecond)),
        cpu: median(rounds.map((round) => round.cpu)) * 1e6,
        busy: median(rounds.map((round) => round.busy)),
        serverBusy: median(rounds.map((round) => round.serverBusy)),
        rateRatio: spread(rounds.map((round, index) => (ours[index]?.perSecond ?? 0) / round.perSecond)),
        cpuRatio: spread(rounds.map((round, index) => round.cpu / (ours[index]?.cpu ?? 1))),
      },
    ]),
  )
  const isLimit = Object.values(rows).every(({ busy, serverBusy }) => busy <= busyEnough && serverBusy >= busyEnough)
  const counts = isLimit ? 'rate' : 'cpu'
  const reached = (who: string) => (counts === 'cpu' ? rows[who]?.cpuRatio[1] : rows[who]?.rateRatio[1]) ?? 0
  return {
    rows,
    counts,
    goals: Object.entries(goals[name]).map(([over, wanted]) => ({ over, wanted, reached: reached(over) })),
  }
}

/** The results for people. */
export function render(
  results: {
    readonly node: string
    readonly processor: string | undefined
    readonly memory?: { readonly before: number; readonly after: number }
  } & { readonly [Name in ComparisonName]?: Comparison },
): string {
  const lines = [`Node ${results.node}, ${results.processor}`]
  for (const name of Object.keys(titles) as ComparisonName[]) {
    const comparison = results[name]
    if (comparison) lines.push('', titles[name], ...table(comparison))
  }
  if (results.memory) {
    const [before, after] = [results.memory.before / 1e6, results.memory.after / 1e6]
    const verdict = after - before <= mostMemoryGrowth ? 'reached' : 'missed'
    lines.push(
      '',
      `Memory: ${before.toFixed(1)} MB after 20,000 tokens, ${after.toFixed(1)} MB after 200,000 (at most ${mostMemoryGrowth} MB more wanted: ${verdict})`,
    )
  }
  return lines.join('\n')
}

function table({ rows, counts, goals: wanted }: Comparison): string[] {
  const lines = [
    '',
    `  ${'target'.padEnd(27)}${'req/s'.padStart(8)}${'CPU us/req'.padStart(12)}${'generator'.padStart(11)}${'server'.padStart(8)}   Holdfast is, by rate      by CPU`,
  ]
  for (const [who, { perSecond, cpu, busy, serverBusy, rateRatio, cpuRatio }] of Object.entries(rows)) {
    const ratios = who === 'holdfast' ? '' : `   ${times(rateRatio)}   ${times(cpuRatio)}`
    lines.push(
      `  ${who.padEnd(27)}${perSecond.toFixed(0).padStart(8)}${cpu.toFixed(1).padStart(12)}${percent(busy).padStart(11)}${percent(serverBusy).padStart(8)}${ratios}`,
    )
  }
  lines.push('', `  The ${counts === 'cpu' ? 'CPU ratio counts: a server was not the limit' : 'rate ratio counts'}.`)
  for (const { over, wanted: goal, reached } of wanted)
    lines.push(
      `  ${reached.toFixed(2)} times ${over} (at least ${goal} wanted: ${reached >= goal ? 'reached' : 'missed'})`,
    )
  return lines
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

function times([low, middle, high]: Spread): string {
  return `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`.padEnd(22)
}

function spread(values: readonly number[]): Spread {
  return [Math.min(...values), median(values), Math.max(...values)]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
