import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path/posix'
import { gzipSync } from 'node:zlib'
import { refusals } from '@holdfast/pop'
import { rolldown } from 'rolldown'
import { report, root, textOf } from './files.ts'
import { importsOf } from './imports.ts'

const home = 'packages/pop'
const portable = ['.', './client', './resource']

/** Follows the imports of the entries that browsers load and names every way to Node. */
function waysToNode(entries: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  const problems: string[] = []
  const walk = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    if (path.startsWith(`${home}/src/node/`)) problems.push(`${path} is reached from a portable entry`)
    for (const { specifier, line } of importsOf(textOf(path))) {
      if (specifier.startsWith('node:')) problems.push(`${path}:${line} imports ${specifier}`)
      if (!specifier.startsWith('.')) continue
      const target = join(dirname(path), specifier)
      if (existsSync(join(root, target))) walk(target)
      else problems.push(`${path}:${line} imports ${specifier}, which is not there`)
    }
  }
  for (const entry of entries) walk(entry)
  return problems
}

/** What a page loads, made as its bundler makes it. */
interface Bundle {
  readonly code: string
  /** Files of which something is in it. */
  readonly modules: readonly string[]
  /** What the page would have to find elsewhere. */
  readonly imports: readonly string[]
  /** In bytes, minified and gzipped. */
  readonly size: number
}

async function bundleOf(entry: string): Promise<Bundle> {
  const bundle = await rolldown({ input: join(root, entry), platform: 'browser', logLevel: 'silent' })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  const chunks = output.filter((part) => part.type === 'chunk')
  const code = chunks.map((chunk) => chunk.code).join('')
  const used = chunks.flatMap(({ modules }) => Object.entries(modules))
  return {
    code,
    modules: used.filter(([, { renderedLength }]) => renderedLength > 0).map(([path]) => relative(root, path)),
    imports: chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]),
    size: gzipSync(code).length,
  }
}

/** Largest bundle of `./client`, in bytes. */
const limit = 15_000

/** The client in a browser is small, whole, and free of what is for servers. */
function leaksOf({ code, modules, imports, size }: Bundle): readonly string[] {
  const foreign = modules.filter((path) => !path.startsWith(`${home}/src/`) || path.startsWith(`${home}/src/node/`))
  const own = textOf(`${home}/src/client/client-error.ts`)
  const leaked = Object.values(refusals).find(({ says }) => code.includes(says) && !own.includes(says))
  return [
    ...imports.map((name) => `./client leaves the import of ${name} to the page`),
    ...foreign.map((path) => `./client carries ${path}`),
    ...(leaked ? [`./client carries sentences of the servers: ${leaked.says}`] : []),
    ...(size > limit ? [`./client has ${size} bytes, minified and gzipped; at most ${limit} are allowed`] : []),
  ]
}

const { exports } = JSON.parse(textOf(`${home}/package.json`))
const client = await bundleOf(join(home, exports['./client']))
report(
  [...waysToNode(portable.map((subpath) => join(home, exports[subpath]))), ...leaksOf(client)],
  `${portable.join(', ')} of @holdfast/pop need no Node; ./client has ${client.size} of ${limit} bytes.`,
)
