import { hash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseSettings } from 'holdfast'
import { Client } from 'pg'
import { settingsOf } from './settings.ts'
import { api, client } from './target.ts'

/** What a database is filled with: clients and tokens by their numbers, so that nobody has to keep them. */
export interface Seed {
  readonly clients: number
  readonly tokens: number
}

const chunk = 10_000

/** The request of a seeded client for a reference token. */
export function seededClient(number: number): Readonly<Record<string, string>> {
  return { client_id: `client-${number}`, client_secret: client.client_secret, scope: client.scope }
}

/** The handle of a seeded token. */
export function seededToken(number: number): string {
  return hash('sha256', `token ${number}`, 'base64url')
}

/** Fills the SQLite database of a folder, which a server has made and let go of. */
export function seedSqlite(folder: string, seed: Seed): void {
  const database = new DatabaseSync(join(folder, 'holdfast.db'))
  database.exec('pragma synchronous = off; pragma cache_size = -200000')
  const inserts = {
    client: database.prepare(`insert into client (${clientColumns}) values (?, ?)`),
    reference_token: database.prepare(`insert into reference_token (${tokenColumns}) values (?, ?, ?, ?, ?, ?, ?, ?)`),
  }
  for (const { table, rows } of chunksOf(seed)) {
    database.exec('begin')
    for (const row of rows) inserts[table].run(...row)
    database.exec('commit')
  }
  database.exec('pragma wal_checkpoint(truncate)')
  database.close()
}

/** Fills a PostgreSQL database that a server has migrated. */
export async function seedPostgres(url: string, seed: Seed): Promise<void> {
  const connection = new Client({ connectionString: url })
  await connection.connect()
  try {
    for (const { table, rows } of chunksOf(seed)) {
      const columns = table === 'client' ? clientColumns : tokenColumns
      const types = columns.split(', ').map((name) => (name === 'issued' || name === 'expires' ? 'bigint[]' : 'text[]'))
      const values = types.map((_, index) => rows.map((row) => row[index]))
      const given = types.map((type, index) => `$${index + 1}::${type}`).join(', ')
      await connection.query(`insert into ${table} (${columns}) select * from unnest(${given})`, values)
    }
    // as the server would do for itself after a while
    await connection.query('vacuum analyze')
  } finally {
    await connection.end()
  }
}

const clientColumns = 'client_id, registration'
const tokenColumns = 'hash, jti, client_id, subject, scope, audience, issued, expires'

interface Chunk {
  readonly table: 'client' | 'reference_token'
  readonly rows: readonly (readonly (string | number)[])[]
}

function* chunksOf({ clients, tokens }: Seed): Generator<Chunk> {
  const registration = registrationOf()
  for (let from = 0; from < clients; from += chunk) {
    yield { table: 'client', rows: numbers(from, clients).map((each) => [`client-${each}`, registration]) }
  }
  for (let from = 0; from < tokens; from += chunk) {
    yield { table: 'reference_token', rows: numbers(from, tokens).map((each) => tokenRow(each, clients)) }
  }
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: Math.min(chunk, to - from) }, (_, index) => from + index)
}

function tokenRow(number: number, clients: number): readonly (string | number)[] {
  const now = Math.floor(Date.now() / 1000)
  const owner = `client-${number % clients}`
  const handle = seededToken(number)
  return [
    hash('sha256', handle, 'base64url'),
    `token-${number}`,
    owner,
    owner,
    'api1',
    JSON.stringify([api]),
    now,
    now + 86_400,
  ]
}

/** As a server stores it. */
function registrationOf(): string {
  const digest = hash('sha256', client.client_secret, 'base64url')
  const written = {
    client_id: 'client-0',
    scope: client.scope,
    client_secret_hash: `sha256:${digest}`,
    token_endpoint_auth_method: 'client_secret_post',
    access_token_format: 'reference',
  } as const
  const common = settingsOf({ port: 8443, certificate: 'server.pem', key: 'server.key' })
  const [parsed] = parseSettings({ ...common, clients: [written] }).clients
  if (!parsed) throw new Error('There is no client.')
  const { client_id: _, ...registration } = parsed
  return JSON.stringify(registration)
}
