import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
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

const { exports } = JSON.parse(textOf(`${home}/package.json`))
report(
  waysToNode(portable.map((subpath) => join(home, exports[subpath]))),
  `${portable.join(', ')} of @holdfast/pop need no Node.`,
)
