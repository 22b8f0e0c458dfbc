import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SettingsInput } from 'holdfast'
import { type Harness, startServer } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

/** Two servers that are one issuer: they share a database and nothing else, and a balancer would stand before them. */
export interface Nodes {
  readonly one: Harness
  readonly other: Harness
  readonly postgres: PostgresServer
  readonly url: string
  close(): Promise<void>
}

/** Starts two nodes on a PostgreSQL server of their own. */
export async function startNodes(
  change: (settings: SettingsInput) => SettingsInput = (settings) => settings,
): Promise<Nodes> {
  const postgres = await startPostgres()
  const url = await postgres.createDatabase()
  const key = join(mkdtempSync(join(tmpdir(), 'holdfast-')), 'holdfast.key')
  writeFileSync(key, randomBytes(32).toString('base64url'), { mode: 0o600 })
  const shared = { store: { postgres: url }, keys: { encryptionKey: key } } as const
  const one = await startServer((settings) => change({ ...settings, ...shared }))
  const origins = { public: one.issuer, mutualTls: `https://localhost:${one.mutualTlsPort}` }
  const other = await startServer((settings) =>
    change({
      ...settings,
      ...shared,
      issuer: one.issuer,
      listen: {
        public: { ...settings.listen.public, origin: origins.public },
        mutualTls: {
          ...settings.listen.mutualTls,
          port: settings.listen.mutualTls?.port ?? 0,
          origin: origins.mutualTls,
        },
      },
    }),
  )
  return {
    one,
    other,
    postgres,
    url,
    async close() {
      await Promise.allSettled([one.close(), other.close()])
      await postgres.stop()
    },
  }
}
