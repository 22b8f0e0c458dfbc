import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { root } from './files.ts'

const vitest = "import { beforeAll, describe, it } from 'vitest'\n"
const requires = `import { requirePrograms } from '${join(root, 'conformance/requires.ts')}'\n`
const passing = `${vitest}it('holds', () => {})\n`
const failing = `${vitest}it('fails', () => { throw new Error() })\n`
const broken = `${vitest}describe('suite', () => { beforeAll(() => { throw new Error() }); it('never runs', () => {}) })\n`
const unparsable = 'import nothing from nowhere\n'
const needy = `${vitest}${requires}requirePrograms('no-such-program')('a suite', () => { it('runs', () => {}) })\n`

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-runner-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function run(
  sources: readonly string[],
  required = '',
): { readonly last: string; readonly code: number; readonly all: string } {
  for (const [index, source] of sources.entries()) writeFileSync(join(folder, `t${index}.test.ts`), source)
  const env = { ...process.env, HOLDFAST_REQUIRE: required, NO_COLOR: '1' }
  const { stdout, status } = spawnSync(process.execPath, [join(root, 'scripts/test.ts')], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return { last: stdout.trimEnd().split('\n').at(-1) ?? '', code: status ?? -1, all: stdout }
}

describe('npm test', () => {
  it('counts on its last line and ends with 0 when all pass', () => {
    expect(run([passing, passing])).toMatchObject({ last: '2 passed, 0 failed', code: 0 })
  })

  it.each([
    ['a test fails', [passing, failing], '1 passed, 1 failed'],
    ['a hook fails before any test', [passing, broken], '1 passed, 1 failed, 1 skipped'],
    ['a file cannot be loaded', [passing, unparsable], '1 passed, 1 failed'],
    ['there is no test', [], '0 passed, 0 failed'],
    ['all are left out', [needy], '0 passed, 0 failed, 1 skipped'],
  ])('ends with 1 when %s', (_, sources, last) => {
    expect(run(sources)).toMatchObject({ last, code: 1 })
  })

  it('names what it leaves out for want of a program', () => {
    const { all, last, code } = run([passing, needy])
    expect(all).toContain('t1.test.ts: a suite (needs no-such-program)')
    expect({ last, code }).toEqual({ last: '1 passed, 0 failed, 1 skipped', code: 0 })
  })

  it('fails for want of a program that HOLDFAST_REQUIRE lists', () => {
    expect(run([passing, needy], 'openssl,no-such-program')).toMatchObject({ last: '1 passed, 1 failed', code: 1 })
  })
})
