import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'vitest'
import { findPostgres } from './postgres-server.ts'

/** Declares a suite; the same call as vitest's `describe`. */
export type Suite = (title: string, body: () => void | Promise<void>) => void

/**
 * A `describe` for suites that need programs of the machine. Where one is missing the suite is left out and its title
 * says why; where `HOLDFAST_REQUIRE` (names, separated by commas; `redis` stands for all of it) lists the missing one, it fails.
 *
 * @example
 * requirePrograms('openssl', 'curl')('curl gets a bound token', () => { ... })
 */
export function requirePrograms(...programs: readonly string[]): Suite {
  const missing = programs.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return describe
  const list = (process.env.HOLDFAST_REQUIRE ?? '').split(',')
  const demanded = missing.filter((program) => list.includes(program) || list.includes(program.split('-')[0] ?? ''))
  if (demanded.length === 0) return (title, body) => describe.skip(`${title} (needs ${missing.join(', ')})`, body)
  return (title) =>
    describe(title, () => {
      it(`finds ${demanded.join(', ')}, which HOLDFAST_REQUIRE demands`, () => {
        throw new Error(`not found in PATH: ${demanded.join(', ')}`)
      })
    })
}

/** Where a program of the machine lies. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...elsewhere()]
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

/** Debian keeps PostgreSQL's programs out of the PATH. */
function elsewhere(): readonly string[] {
  const folder = findPostgres()
  return folder === undefined ? [] : [folder]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
