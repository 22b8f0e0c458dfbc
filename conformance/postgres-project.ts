import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres-server.ts'

/** For the project `postgres` of the tests: one server for all of its files. */
// biome-ignore lint/style/noDefaultExport: Vitest asks for one
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  provide('postgres', server.port)
  return () => server.stop()
}
