import { basename, relative } from 'node:path'

/** How this program is called again from the same place: what is printed can be pasted. */
export function programName(): string {
  const [, script = 'holdfast'] = process.argv
  if (process.env.npm_execpath !== undefined) return 'npx holdfast'
  return basename(script) === 'holdfast' ? 'holdfast' : `node ${relative(process.cwd(), script)}`
}
