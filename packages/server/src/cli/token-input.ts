import { readTextFile } from './input-file.ts'
import type { Terminal } from './terminal.ts'

/** A token as the command line names it: itself, `-` for standard input, `@file`. */
export async function tokenIn(given: string, { input }: Pick<Terminal, 'input'>): Promise<string> {
  if (given === '-') return (await input()).trim()
  return given.startsWith('@') ? (await readTextFile(given.slice(1))).trim() : given
}
