import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../conformance/requires.ts'
import { verifyChains } from '../administration/audit/chain.ts'
import type { AuditEntry, AuditStamp } from '../model/audit.ts'
import { clientSchema } from '../model/client.ts'
import type { Store } from '../ports/store.ts'
import { type Child, runInChild } from './child-process.fixture.ts'
import { openPostgresStore } from './postgres/postgres.ts'
import { openTemporaryStore, temporaryFile } from './temporary-store.fixture.ts'

const key = new Uint8Array(32).fill(7)
const client = clientSchema.parse({ client_id: 'shop', token_endpoint_auth_method: 'none' })
const stamp = (entry: Partial<AuditEntry> = {}): AuditStamp => ({
  event: 'client_added',
  ...entry,
  time: 1000,
  node: 'one',
  key,
})

/** Adds clients, eight at once, and prints the ids of those that were acknowledged, until it is killed. */
function runAdding(opening: string, name: string): Child {
  return runInChild(
    onTestFinished,
    `${opening}
     const key = new Uint8Array(32).fill(7)
     const client = ${JSON.stringify(client)}
     for (let group = 0; ; group++) {
       const ids = Array.from({ length: 8 }, (_, index) => \`${name}-\${group}-\${index}\`)
       await Promise.all(ids.map((client_id) => store.audited({
         verb: 'insertClient',
         data: { ...client, client_id },
         audit: { event: 'client_added', client: client_id, time: 1000, node: 'one', key },
       })))
       console.log(ids.join())
     }`,
  )
}

/** Kills the process after some lines. @returns what it had acknowledged */
async function killAfter(child: Child, lines: number): Promise<readonly string[]> {
  const acknowledged: string[] = []
  for (let line = 0; line < lines; line++) acknowledged.push((await child.line()) ?? '')
  await child.kill()
  return [...acknowledged, ...(await child.lines())].flatMap((line) => line.split(','))
}

/** The chain holds, tells of exactly the changes that were made, and all that were acknowledged are among them. */
async function expectWhole(store: Store, acknowledged: readonly string[]): Promise<void> {
  const chains = await verifyChains([], { store, auditKey: key })
  expect(chains).toMatchObject([{ node: 'one' }])
  expect(chains.flatMap(({ fault }) => fault ?? [])).toEqual([])
  const links = await store.listAudit({ node: 'one', after: 0, limit: 100_000 })
  const told = links.map(({ entry }) => JSON.parse(entry).client).toSorted()
  expect((await store.listClients()).map(({ client_id }) => client_id).toSorted()).toEqual(told)
  expect(acknowledged.length).toBeGreaterThan(0)
  expect(acknowledged.filter((id) => !told.includes(id))).toEqual([])
}

describe('an audit log whose process is killed', () => {
  it('holds, and tells of every change that was made, and of no other', { timeout: 60_000 }, async () => {
    const file = temporaryFile(onTestFinished)
    const module = JSON.stringify(new URL('./sqlite/sqlite.ts', import.meta.url))
    const opening = `const { openSqliteStore } = await import(${module})
      const store = await openSqliteStore({ file: ${JSON.stringify(file)} })`
    const acknowledged: string[] = []
    for (let round = 0; round < 5; round++)
      acknowledged.push(...(await killAfter(runAdding(opening, `round-${round}`), 2 + round)))
    const { store } = await openTemporaryStore(onTestFinished, { file })
    await expectWhole(store, acknowledged)
  })
})

requirePrograms('postgres')('an audit log in PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  async function open(url: string): Promise<Store> {
    const store = await openPostgresStore({ url })
    onTestFinished(() => store.close())
    return store
  }

  async function ask(url: string, text: string): Promise<void> {
    const connection = new Client({ connectionString: url })
    await connection.connect()
    try {
      await connection.query(text)
    } finally {
      await connection.end()
    }
  }

  it('holds when one of two workers of a node is killed', { timeout: 60_000 }, async () => {
    const url = await server.createDatabase()
    const store = await open(url)
    const module = JSON.stringify(new URL('./postgres/postgres.ts', import.meta.url))
    const opening = `const { openPostgresStore } = await import(${module})
      const store = await openPostgresStore({ url: ${JSON.stringify(url)} })`
    const stays = runAdding(opening, 'stays')
    const acknowledged: string[] = []
    for (let round = 0; round < 3; round++)
      acknowledged.push(...(await killAfter(runAdding(opening, `round-${round}`), 2 + round)))
    acknowledged.push(...(await killAfter(stays, 3)))
    await expectWhole(store, acknowledged)
  })

  it('is written by a role that may add to it and not change it', async () => {
    const url = await server.createDatabase()
    const database = new URL(url).pathname.slice(1)
    const own = url.replace('holdfast@', 'app@')
    await ask(url, `create role app login; grant all on database ${database} to app; grant all on schema public to app`)
    await (await openPostgresStore({ url: own })).close()
    await ask(
      url,
      'alter table audit owner to holdfast; revoke all on audit from app; grant select, insert on audit to app',
    )
    const store = await open(own)
    await store.audited({ verb: 'insertClient', data: client, audit: stamp({ client: 'shop' }) })
    await store.recordAudit(stamp({ client: 'till' }))
    expect(await verifyChains([], { store, auditKey: key })).toEqual([expect.objectContaining({ number: 2 })])
    await store.purge({ before: 4_000_000_000, limit: 100 })
    for (const change of ["update audit set event = 'x'", 'delete from audit', 'truncate audit', 'drop table audit'])
      await expect(ask(own, change)).rejects.toThrow(/denied|must be owner/)
  })
})
