import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { findPostgres } from '../conformance/postgres-server.ts'

/** @throws Error when this machine has no such program: what needs it is left out, and named */
export function requireProgram(program: 'redis-server' | 'postgres'): void {
  const isThere = program === 'postgres' ? findPostgres() !== undefined : isInPath(program)
  if (!isThere) throw new Error(`there is no ${program} here`)
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
