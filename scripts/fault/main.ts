import process from 'node:process'
import { createChance } from './chance.ts'
import { killServer, type Verdict } from './kills.ts'
import { killPostgres } from './postgres-kills.ts'
import { cutPower } from './power-loss.ts'
import { measureStalls, renderPhase } from './stalls.ts'
import { type Injection, injectAt } from './system-calls.ts'

const help = `Injects faults and checks that nothing which was acknowledged is lost (S1), nothing is used twice (S2), and nothing
that was used or revoked lives again (S3).

  npm run fault -- kills=1000              kill -9 of \`holdfast serve\` on SQLite while sixteen use it
  npm run fault -- store=postgres kills=50 kill -9 of PostgreSQL under two nodes
  npm run fault -- powerloss points=5000   what a disk can hold after a power loss, SQLite (needs strace)
  npm run fault -- calls=300               the n-th system call kills the process or fails with EIO, n = 1, 2, ...
                                           (needs strace)

  npm run fault -- stalls rows=1000000     measures a server with a large database while that is purged, backed up,
                                           checked, read for long and opened

  seed=12345   repeats a run: the same moments, the same choices. Each run prints its own.

Exits with 1 when something was violated, and when nothing was injected.`

type Words = Readonly<Record<string, string>>

const runs: Readonly<Record<string, (words: Words, seed: number) => Promise<Verdict>>> = {
  kills: ({ kills, store }, seed) =>
    store === 'postgres'
      ? killPostgres(Number(kills), createChance(seed), progress)
      : killServer(Number(kills), createChance(seed), progress),
  powerloss: ({ points = '5000' }, seed) => cutPower(Number(points), createChance(seed), { tell: progress }),
  calls: ({ calls }) => injectEverywhere(Number(calls)),
}

const injections: readonly Injection[] = [
  { does: 'kill', at: 'pwrite64' },
  { does: 'kill', at: 'fsync' },
  { does: 'kill', at: 'write' },
  { does: 'fail', at: 'pwrite64' },
  { does: 'fail', at: 'fsync' },
  { does: 'fail', at: 'pread64' },
]

async function injectEverywhere(most: number): Promise<Verdict> {
  const found: string[] = []
  let injected = 0
  let acknowledged = 0
  for (const injection of injections) {
    for (let n = 1, misses = 0; n <= most && misses < 3; n++) {
      const { end, hasFired, violations } = await injectAt(injection, n)
      if (hasFired) injected++
      misses = hasFired ? 0 : misses + 1
      acknowledged += end.operations.filter(({ outcome }) => outcome !== 'unknown').length
      found.push(...violations.map((each) => `${injection.does} at ${injection.at} ${n}: ${each}`))
      progress(`${injection.does} at ${injection.at} ${n}: ${found.length} violations`)
    }
  }
  return { injected, acknowledged, unanswered: 0, violations: found, ready: [] }
}

let told = performance.now()

/** Each line in the place of the one before; one in ten seconds where it goes to a file. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${line.padEnd(79)}`)
  else if (performance.now() - told > 10_000) {
    told = performance.now()
    process.stderr.write(`${line}\n`)
  }
}

function render({ injected, acknowledged, unanswered, violations, ready, kept }: Verdict, seconds: number): string {
  const at = (share: number) => Math.round(ready[Math.min(ready.length - 1, Math.floor(ready.length * share))] ?? 0)
  return [
    `faults injected      ${injected}`,
    `acknowledged         ${acknowledged}`,
    ...(unanswered > 0 ? [`in doubt             ${unanswered}`] : []),
    `violations           ${violations.length}`,
    ...(ready.length > 0 ? [`ready again          p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`] : []),
    `took                 ${Math.round(seconds)} s`,
    ...violations.slice(0, 20).map((each) => `  ${each}`),
    ...(kept === undefined ? [] : [`history and database ${kept}`]),
  ].join('\n')
}

async function showStalls({ rows = '1000000', seconds = '10' }: Words): Promise<number> {
  const { bytes, phases, ready } = await measureStalls(Number(rows), Number(seconds), (line) => {
    process.stderr.write(`${line}\n`)
  })
  process.stdout.write(`database of ${Math.round(bytes / 1_048_576)} MiB
while                         answered   p50 ms   p99 ms stall ms         log
${phases.map(renderPhase).join('\n')}
ready again          p50 ${Math.round(ready[Math.floor(ready.length / 2)] ?? 0)} ms, most ${Math.round(ready.at(-1) ?? 0)} ms
`)
  return phases.every(({ answered }) => answered > 0) ? 0 : 1
}

async function main(args: readonly string[]): Promise<number> {
  const words = Object.fromEntries(
    args.map((word) => word.split('=', 2) as [string, string?]).map(([name, value = '']) => [name, value]),
  )
  if ('stalls' in words) return await showStalls(words)
  const name = Object.keys(runs).find((each) => each in words)
  const run = name === undefined ? undefined : runs[name]
  const amounts = [words.kills, words.calls, words.points, words.rows, words.seed]
  const areCounts = amounts.every((each) => each === undefined || /^[1-9]\d*$/.test(each))
  if (!run || !areCounts || 'help' in words || '--help' in words) {
    process.stdout.write(`${help}\n`)
    return '--help' in words || 'help' in words ? 0 : 2
  }
  const seed = Number(words.seed ?? process.pid + Math.floor(performance.timeOrigin))
  process.stdout.write(`seed                 ${seed >>> 0}\n`)
  const began = performance.now()
  const verdict = await run(words, seed)
  process.stdout.write(`${render(verdict, (performance.now() - began) / 1000)}\n`)
  return verdict.violations.length === 0 && verdict.injected > 0 && verdict.acknowledged > 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
