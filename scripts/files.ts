import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the repository. */
export const root = join(import.meta.dirname, '..')

/** Paths, relative to the repository, of the files that git knows or would take, and whose name ends so. */
export function repositoryFiles(...endings: readonly string[]): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  return listed
    .toString()
    .split('\0')
    .filter((path) => endings.length === 0 || endings.some((ending) => path.endsWith(ending)))
    .filter((path) => path !== '' && existsSync(join(root, path)))
}

/** The text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Ends a script: prints what is wrong and sets the exit code, or prints the sentence that all is well. */
export function report(problems: readonly string[], well: string): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  if (problems.length === 0) process.stdout.write(`${well}\n`)
  else process.exitCode = 1
}
