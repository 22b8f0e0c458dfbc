import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startVitest, type TestModule, type TestSuite, type Vitest } from 'vitest/node'
import { openMemory } from './memory.ts'

// `npm test`: every test once, or those whose path contains one of the arguments, `--without` those that a pattern
// matches, as often as wanted. Names the suites that were left out, and counts on the last line.

// Hundreds of processes and threads load the same sources: they are compiled once.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache', import.meta.url))
process.env.TMPDIR ??= openMemory()

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { without: { type: 'string', multiple: true, default: [] } },
})
const exclude = ['**/node_modules/**', ...values.without]
const vitest = await startVitest('test', positionals, { run: true, watch: false, passWithNoTests: true, exclude })
await vitest.close()

const modules = vitest.state.getTestModules()
const { passed, failed, skipped } = count(vitest, modules)

const leftOut = modules.flatMap((module) => [...module.children.allSuites()].filter(isLeftOut))
if (leftOut.length > 0) {
  process.stdout.write('\nLeft out, for want of a program:\n')
  for (const suite of leftOut) process.stdout.write(`  ${suite.module.relativeModuleId}: ${suite.name}\n`)
}
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function count({ state }: Vitest, all: readonly TestModule[]): { passed: number; failed: number; skipped: number } {
  const states = all.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
  const broken = all.filter((module) => module.errors().length > 0 || [...module.children.allSuites()].some(isBroken))
  return {
    passed: states.filter((each) => each === 'passed').length,
    failed: states.filter((each) => each === 'failed').length + broken.length + state.getUnhandledErrors().length,
    skipped: states.filter((each) => each === 'skipped' || each === 'pending').length,
  }
}

/** A suite whose own hooks failed: its tests may all look skipped. */
function isBroken(suite: TestSuite): boolean {
  return suite.errors().length > 0
}

function isLeftOut(suite: TestSuite): boolean {
  return / \(needs .+\)$/.test(suite.name)
}
