import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './files.ts'

/** One wrong file for each rule that this product leans on. */
const wrong = {
  'suspicious/noImportCycles': "import type { B } from './other.ts'\nexport type A = B\n",
  'suspicious/noExplicitAny': 'export const a = (b: any): unknown => b\n',
  'correctness/noPrivateImports': "import { hidden } from './inner/hidden.ts'\nexport const a = hidden\n",
  'nursery/noFloatingPromises':
    'const verify = async (): Promise<number> => 1\nexport const a = (): void => {\n  verify()\n}\n',
  'nursery/noMisusedPromises':
    'const verify = async (): Promise<boolean> => false\nexport const a = (): number => {\n  if (verify()) return 1\n  return 0\n}\n',
  'nursery/useExhaustiveSwitchCases':
    "export function a(b: 'x' | 'y'): void {\n  switch (b) {\n    case 'x':\n      break\n  }\n}\n",
  'style/noDefaultExport': 'export default 1\n',
  'style/noEnum': 'export enum A {\n  B,\n}\n',
  'style/noNamespace': 'export namespace A {\n  export const b = 1\n}\n',
  'style/noNonNullAssertion': 'export const a = (b?: string): string => b!\n',
  'style/useNodejsImportProtocol': "import { join } from 'fs'\nexport const a = join\n",
  'style/useImportType': "import { B } from './inner/hidden.ts'\nexport const a = (b: B): B => b\n",
  'plugin getPeerCertificate':
    'export const a = (b: { getPeerCertificate(): object }): object => b.getPeerCertificate()\n',
  'plugin toLegacyObject': 'export const a = (b: { toLegacyObject(): object }): object => b.toLegacyObject()\n',
  'plugin authorized': 'export const a = (b: { authorized: boolean }): boolean => b.authorized\n',
  'plugin authorizationError': 'export const a = (b: { authorizationError: Error }): Error => b.authorizationError\n',
  'plugin random': 'export const a = (): number => Math.random()\n',
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-lint-'))
const fileOf = (rule: string): string => `${rule.replaceAll(/[/ ]/g, '-').toLowerCase()}.ts`
let found: readonly { readonly category: string; readonly path: string }[] = []

beforeAll(() => {
  for (const path of ['biome.json', 'scripts/banned-calls.grit', 'tsconfig.base.json']) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    cpSync(join(root, path), join(folder, path))
  }
  mkdirSync(join(folder, 'inner'))
  writeFileSync(join(folder, 'inner/hidden.ts'), '/** @package */\nexport const hidden = 1\nexport interface B {}\n')
  writeFileSync(join(folder, 'other.ts'), "export type { A as B } from './suspicious-noimportcycles.ts'\n")
  for (const [rule, source] of Object.entries(wrong)) writeFileSync(join(folder, fileOf(rule)), source)
  const biome = join(root, 'node_modules/.bin/biome')
  const flags = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=200', '.']
  const { stdout } = spawnSync(biome, flags, { cwd: folder, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout)
  found = diagnostics.map(({ category, location }: { category: string; location: { path: unknown } }) => ({
    category,
    path: JSON.stringify(location.path),
  }))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('the linter', () => {
  it.each(Object.keys(wrong))('fires for %s', (rule) => {
    const category = rule.startsWith('plugin') ? 'plugin' : `lint/${rule}`
    const hits = found.filter(({ path }) => path.includes(fileOf(rule)))
    expect(hits.map((hit) => hit.category)).toContain(category)
  })
})
