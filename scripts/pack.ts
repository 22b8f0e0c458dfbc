import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, textOf } from './files.ts'

/** The manifest of a workspace, as far as packing reads it. */
interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
}

/** The workspaces that are published. */
export const published: readonly string[] = ['packages/pop', 'packages/server']

const projects = [
  'packages/pop/tsconfig.core.json',
  'packages/pop/tsconfig.node.json',
  'packages/server',
  'packages/server/tsconfig.browser.json',
]

/** Builds the published packages and leaves in the `dist` of each what is published, ready for `npm pack` and `npm publish`. */
export function preparePackages(): void {
  for (const home of published) rmSync(join(root, home, 'dist'), { recursive: true, force: true })
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', '--force', ...projects], { cwd: root, stdio: 'inherit' })
  for (const home of published) preparePackage(home)
}

/** The manifest of a workspace. */
export function manifestOf(home: string): Manifest {
  return JSON.parse(textOf(`${home}/package.json`))
}

function preparePackage(home: string): void {
  const dist = join(root, home, 'dist')
  const { bin, exports, ...rest } = manifestOf(home)
  const manifest = {
    ...rest,
    private: undefined,
    ...(bin ? { bin } : {}),
    exports: Object.fromEntries(Object.entries(exports).map(([subpath, source]) => [subpath, built(source)])),
    files: ['src', 'bin', 'schema'],
  }
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  copyFileSync(join(root, 'LICENSE'), join(dist, 'LICENSE'))
  copyFileSync(nearest(home, 'README.md'), join(dist, 'README.md'))
  if (existsSync(join(root, home, 'schema')))
    cpSync(join(root, home, 'schema'), join(dist, 'schema'), { recursive: true })
  for (const path of Object.values(bin ?? {})) packProgram(join(root, home, path), join(dist, path))
}

/** A program imports its source in the repository and the built file in the package. */
function packProgram(from: string, to: string): void {
  const text = readFileSync(from, 'utf8').replace(/(import\('\.\.\/src\/[^']+)\.ts'/g, "$1.js'")
  mkdirSync(join(to, '..'), { recursive: true })
  writeFileSync(to, text, { mode: 0o755 })
}

function built(source: string): { readonly types: string; readonly default: string } {
  return { types: source.replace(/\.ts$/, '.d.ts'), default: source.replace(/\.ts$/, '.js') }
}

function nearest(home: string, file: string): string {
  const own = join(root, home, file)
  return existsSync(own) ? own : join(root, file)
}

if (import.meta.main) preparePackages()
