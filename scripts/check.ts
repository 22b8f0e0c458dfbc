import { spawn } from 'node:child_process'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { root } from './files.ts'

/** One step of `npm run check`: a command, and the step that it waits for. */
interface Step {
  readonly name: string
  readonly command: readonly string[]
  readonly after?: string
}

const node = process.execPath
/** Output is kept, not shown live: no colours in it, and nothing of what npm sets for scripts about colours. */
const { FORCE_COLOR: _, ...environment } = process.env
const plain = { ...environment, NO_COLOR: '1' }
const modules = `${root}/node_modules`

/** What takes long is left to `npm test`: a browser, and faults, floods and ends of servers that are waited for. */
const long = [
  'conformance/chromium/**',
  'conformance/{deploy,encryption-key,faults-*,http-limits,interop-dpop-clients,key-rotation}.test.ts',
  'conformance/{limits-connections,limits-nodes,postgres-nodes,redis,tls-renewal,upgrade}.test.ts',
  'packages/server/src/cli/{audit,dev,log,serve-postgres}.test.ts',
  'packages/server/src/store/{audit-faults,redis-replay,upgrade}.test.ts',
  'packages/server/src/store/postgres/**',
  'packages/server/src/store/sqlite/{backup,faults,full-disk}.test.ts',
  'scripts/fault/**',
]
const withoutLong = long.flatMap((pattern) => ['--without', pattern])

const steps: readonly Step[] = [
  { name: 'unit', command: [node, 'scripts/test.ts', ...withoutLong, 'packages/', 'scripts/'] },
  { name: 'types', command: [`${modules}/.bin/tsc`, '-b', '--force'] },
  {
    name: 'lint',
    command: [`${modules}/.bin/biome`, 'ci', '--colors=off', '--error-on-warnings', '--max-diagnostics=100', '.'],
  },
  { name: 'floors', command: [node, 'scripts/floors.ts'] },
  { name: 'rules', command: [node, 'scripts/rules.ts'] },
  { name: 'pages', command: [node, 'scripts/pages.ts'] },
  { name: 'bundle', command: [node, 'scripts/bundle.ts'] },
  { name: 'vectors', command: [node, 'scripts/vectors.ts'] },
  { name: 'mentions', command: [node, 'scripts/mentions.ts'] },
  { name: 'lockfile', command: [node, 'scripts/lockfile.ts'] },
  { name: 'unused', command: [`${modules}/.bin/knip`] },
  { name: 'packed', command: [node, 'scripts/packed.ts'], after: 'types' },
  { name: 'conformance', command: [node, 'scripts/test.ts', ...withoutLong, 'conformance/', 'examples/'] },
]

interface Outcome {
  readonly step: Step
  readonly code: number
  readonly output: string
  readonly seconds: number
}

// `--only` and `--without` name steps, and may be repeated.
const names = { type: 'string', multiple: true } as const
const {
  values: { only = [], without = [] },
} = parseArgs({ options: { only: names, without: names } })
const unknown = [...only, ...without].find((name) => !steps.some((step) => step.name === name))
if (unknown !== undefined) {
  process.stderr.write(`There is no step "${unknown}": ${steps.map(({ name }) => name).join(', ')}.\n`)
  process.exit(2)
}

const started = performance.now()
const chosen = steps.filter(({ name }) => (only.length === 0 || only.includes(name)) && !without.includes(name))
const failed = (await runAll(chosen, 2)).filter(({ code }) => code !== 0).map(({ step }) => step.name)
const total = ((performance.now() - started) / 1000).toFixed(0)
process.stdout.write(
  failed.length === 0
    ? `\nAll ${chosen.length} steps passed in ${total} s.\n`
    : `\nFailed: ${failed.join(', ')} (${total} s).\n`,
)
process.exitCode = failed.length === 0 ? 0 : 1

/** Runs the steps, `lanes` at a time, in their order where nothing waits. */
async function runAll(all: readonly Step[], lanes: number): Promise<readonly Outcome[]> {
  const waiting = [...all]
  const outcomes: Outcome[] = []
  const isReady = ({ after }: Step) =>
    after === undefined || !all.some(({ name }) => name === after) || outcomes.some(({ step }) => step.name === after)
  const running = new Set<Promise<void>>()
  while (waiting.length > 0 || running.size > 0) {
    const next = running.size < lanes ? waiting.findIndex(isReady) : -1
    if (next < 0) {
      await Promise.race(running)
      continue
    }
    const [step] = waiting.splice(next, 1)
    if (!step) break
    const work = run(step).then((outcome) => {
      outcomes.push(outcome)
      print(outcome, only.length > 0)
      running.delete(work)
    })
    running.add(work)
  }
  return outcomes
}

function run(step: Step): Promise<Outcome> {
  const [program = '', ...rest] = step.command
  const since = performance.now()
  const chunks: Buffer[] = []
  return new Promise((resolve) => {
    const child = spawn(program, rest, { cwd: root, env: plain, stdio: ['ignore', 'pipe', 'pipe'] })
    const end = (code: number) => {
      resolve({ step, code, output: Buffer.concat(chunks).toString(), seconds: (performance.now() - since) / 1000 })
    }
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', (error) => {
      chunks.push(Buffer.from(error.message))
      end(1)
    })
    child.once('close', (code) => end(code ?? 1))
  })
}

function print({ step, code, output, seconds }: Outcome, inFull: boolean): void {
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'}  ${step.name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s\n`)
  if (code !== 0 || inFull) process.stdout.write(`${output.trimEnd().replace(/^/gm, '      ')}\n`)
}
