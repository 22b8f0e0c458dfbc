import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { clientSchema } from '../../model/client.ts'
import { type Store, StoreUnavailable } from '../../ports/store.ts'
import { isConflict, isOutage } from './failure.ts'
import { openPostgresStore } from './postgres.ts'

const client = clientSchema.parse({ client_id: 'client', token_endpoint_auth_method: 'none' })
const use = (key: string) => ({ uses: [{ kind: 'proof', key, expires: 1000 }] }) as const

const stamp = (actor: string) =>
  ({ event: 'token_revoked', actor, time: 1000, node: 'one', key: new Uint8Array(32) }) as const

describe('failures of PostgreSQL', () => {
  const failure = (code: string) => Object.assign(new Error('it failed'), { code })

  it.each(['40001', '40P01'])('are lost races: %s', (code) => {
    expect(isConflict(failure(code))).toBe(true)
  })

  it.each(['08006', '53300', '53100', '57P01', '57014', '58030', 'XX001', '25006', 'ECONNREFUSED', 'ECONNRESET'])(
    'are outages: %s',
    (code) => {
      expect(isOutage(failure(code))).toBe(true)
      expect(isConflict(failure(code))).toBe(false)
    },
  )

  it.each(['23505', '42P01', '22P02', ''])('are mistakes of ours: %s', (code) => {
    expect(isOutage(failure(code))).toBe(false)
  })
})

requirePrograms('postgres')('a store in PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  async function open(url: string, reports: unknown[] = []): Promise<Store> {
    const store = await openPostgresStore({ url, report: (each) => reports.push(each) })
    onTestFinished(() => store.close())
    return store
  }

  async function ask(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const connection = new Client({ connectionString: url })
    await connection.connect()
    try {
      return (await connection.query(text)).rows
    } finally {
      await connection.end()
    }
  }

  it('is made once by many that start at the same time', async () => {
    const url = await server.createDatabase()
    const stores = await Promise.all(Array.from({ length: 4 }, () => open(url)))
    for (const store of stores) expect(await store.listClients()).toEqual([])
    expect(await ask(url, 'select version from schema_version')).toEqual([{ version: 4 }])
  })

  it('lets one of 64 callers at two nodes win a use', async () => {
    const url = await server.createDatabase()
    const [one, other] = [await open(url), await open(url)]
    for (let round = 0; round < 5; round++) {
      const callers = Array.from({ length: 64 }, (_, index) => (index % 2 ? one : other).issue(use(`round ${round}`)))
      const outcomes = await Promise.all(callers)
      expect(outcomes.filter(({ issued }) => issued)).toHaveLength(1)
    }
  })

  it('loses no signing key of nodes that make and rotate them at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const url = await server.createDatabase()
      const first = await open(url)
      const nodes = [first, await open(url)]
      const algorithms = ['ES256', 'EdDSA', 'PS256', 'ML-DSA-65'] as const
      const newKey = (algorithm: (typeof algorithms)[number], name: string) =>
        ({ kid: `${algorithm} ${name}`, algorithm, publicJwk: '{}', sealed: '', created: 0 }) as const
      const atOnce = <Answer>(change: (node: Store, algorithm: (typeof algorithms)[number]) => Promise<Answer>) =>
        Promise.all(algorithms.map((algorithm, index) => change(nodes[index % 2] ?? first, algorithm)))
      await atOnce((node, algorithm) =>
        node.ensureSigningKeys([
          { ...newKey(algorithm, 'first'), stage: 'active', since: 0 },
          { ...newKey(algorithm, 'second'), stage: 'next' },
        ]),
      )
      const fresh = (algorithm: (typeof algorithms)[number]) =>
        ({ ...newKey(algorithm, 'third'), stage: 'next' }) as const
      const rotated = await atOnce((node, algorithm) =>
        node.rotateSigningKey({ algorithm, now: 1, expires: 2, fresh: fresh(algorithm) }),
      )
      expect(rotated).toEqual([true, true, true, true])
      expect(await first.listSigningKeys()).toHaveLength(12)
    }
  })

  it.each([
    ['the database', (name: string) => `alter database "${name}" set synchronous_commit = off`],
    ['the user', () => 'alter role holdfast set synchronous_commit = off'],
  ])('[F09] waits for the disk, whatever %s is set to', async (_, statement) => {
    const url = await server.createDatabase()
    await ask(url, statement(new URL(url).pathname.slice(1)))
    onTestFinished(async () => void (await ask(url, 'alter role holdfast reset synchronous_commit')))
    expect(await ask(url, 'show synchronous_commit')).toEqual([{ synchronous_commit: 'off' }])
    const store = await open(url)
    await ask(
      url,
      `create table heard (said text);
       create function hear() returns trigger language plpgsql as
         'begin insert into heard values (current_setting(''synchronous_commit'')); return new; end';
       create trigger hearing before insert on single_use for each row execute function hear()`,
    )
    expect(await store.issue(use('any'))).toEqual({ issued: true })
    expect(await ask(url, 'select said from heard')).toEqual([{ said: 'on' }])
  })

  it('[F09] refuses an address that asks not to wait for the disk', async () => {
    const url = `${await server.createDatabase()}?options=-c%20synchronous_commit%3Doff`
    await expect(openPostgresStore({ url })).rejects.toThrow(/synchronous_commit/)
  })

  it.each([
    ['insertClient', (store: Store) => store.insertClient({ ...client, client_id: 'new' })],
    ['replaceClient', (store: Store) => store.replaceClient({ ...client, disabled: true })],
    ['deleteClient', (store: Store) => store.deleteClient('client')],
  ])('tells other nodes of %s within a second', async (_, change) => {
    const url = await server.createDatabase()
    const [one, other] = [await open(url), await open(url)]
    await one.insertClient(client)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const told = Promise.withResolvers<void>()
    other.watch(() => told.resolve())
    const began = performance.now()
    await change(one)
    await told.promise
    // A second, and what a busy machine takes besides.
    expect(performance.now() - began).toBeLessThan(1500)
  })

  it('tells them when the connection that listens was lost', async () => {
    const url = await server.createDatabase()
    const reports: { event: string }[] = []
    const [one, other] = [await open(url), await open(url, reports)]
    await new Promise((resolve) => setTimeout(resolve, 300))
    await ask(url, "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'")
    const told = Promise.withResolvers<void>()
    other.watch(() => told.resolve())
    await one.insertClient(client)
    await told.promise
    expect(reports.map(({ event }) => event)).toContain('store_deaf')
  })

  it('tells them also where the first look has failed', async () => {
    const url = await server.createDatabase()
    await (await openPostgresStore({ url })).close()
    const holder = new Client({ connectionString: url })
    await holder.connect()
    onTestFinished(() => holder.end())
    await holder.query('begin; lock table state')
    const store = await open(url)
    const told = Promise.withResolvers<void>()
    store.watch(() => told.resolve())
    await new Promise((resolve) => setTimeout(resolve, 1800))
    await holder.query('update state set changes = changes + 1; commit')
    await told.promise
  })

  it('is not there while the server is away, and goes on with all that was acknowledged', async () => {
    const url = await server.createDatabase()
    const store = await open(url)
    await store.insertClient(client)
    await server.kill()
    await expect(store.issue(use('lost'))).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(store.findClient('client')).rejects.toBeInstanceOf(StoreUnavailable)
    await server.restart()
    expect(await store.findClient('client')).toEqual(client)
    expect(await store.issue(use('after'))).toEqual({ issued: true })
  })

  it('[F11] lets a thousand wait for a connection, a second each, and nobody else', async () => {
    const url = await server.createDatabase()
    const store = await open(url)
    const holder = new Client({ connectionString: url })
    await holder.connect()
    onTestFinished(() => holder.end())
    await holder.query('begin; lock table single_use')
    const began = performance.now()
    const outcomes = Array.from({ length: 1100 }, async (_, index) => {
      const failure = await store.issue(use(`crowd ${index}`)).catch((cause: Error) => cause)
      expect(failure).toBeInstanceOf(StoreUnavailable)
      return {
        full: String(failure).includes('wait for the database already'),
        after: performance.now() - began,
      }
    })
    const all = await Promise.all(outcomes)
    const turnedAway = all.filter(({ full }) => full)
    expect(turnedAway.length).toBeGreaterThanOrEqual(90)
    expect(turnedAway.length).toBeLessThanOrEqual(100)
    // Before the first of those who wait gives up.
    expect(Math.max(...turnedAway.map(({ after }) => after))).toBeLessThan(
      Math.min(...all.filter(({ full }) => !full).map(({ after }) => after)),
    )
    await holder.query('rollback')
    await expect.poll(() => store.issue(use('after the crowd')).catch(() => undefined)).toEqual({ issued: true })
  })

  it('outlives a server that ends in the middle of a change', async () => {
    const url = await server.createDatabase()
    const store = await open(url)
    const holder = new Client({ connectionString: url })
    holder.on('error', () => {})
    await holder.connect()
    await holder.query('begin; lock table single_use, client')
    const uncaught: unknown[] = []
    const catching = (cause: unknown) => uncaught.push(cause)
    process.on('uncaughtException', catching)
    onTestFinished(() => void process.off('uncaughtException', catching))
    const waiting = [store.issue(use('single')), store.insertClient(client)].map((change) =>
      expect(change).rejects.toBeInstanceOf(StoreUnavailable),
    )
    await expect.poll(() => ask(url, 'select 1 from pg_locks where not granted')).toHaveLength(2)
    await server.kill()
    await Promise.all(waiting)
    await server.restart()
    expect(uncaught).toEqual([])
  })

  it('refuses a database that a newer Holdfast has migrated', async () => {
    const url = await server.createDatabase()
    const store = await openPostgresStore({ url })
    await store.close()
    await ask(url, 'update schema_version set version = 99')
    await expect(openPostgresStore({ url })).rejects.toMatchObject({ name: 'StoreUnusable' })
  })

  it('refuses a server that does not write to the disk', async () => {
    const url = await server.createDatabase()
    await ask(url, 'alter system set fsync = off')
    await ask(url, 'select pg_reload_conf()')
    onTestFinished(async () => {
      await ask(url, 'alter system reset fsync')
      await ask(url, 'select pg_reload_conf()')
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    await expect(openPostgresStore({ url })).rejects.toThrow(/fsync/)
  })

  it.each([
    ['a server that is not there', 'postgres://holdfast@127.0.0.1:1/none'],
    ['a database that is not there', 'none'],
  ])('names %s', async (_, address) => {
    const url = address === 'none' ? (await server.createDatabase()).replace(/\/[^/]*$/, '/none') : address
    await expect(openPostgresStore({ url })).rejects.toMatchObject({ name: 'StoreUnusable' })
  })

  it('lets who causes many entries of the audit log keep neither other changes nor the entries of others waiting', async () => {
    const url = await server.createDatabase()
    const store = await open(url)
    await store.recordAudit(stamp('client:many'))
    const holder = new Client({ connectionString: url })
    await holder.connect()
    await holder.query('begin; select * from audit_head for update')
    const flood = Array.from({ length: 120 }, () => store.recordAudit(stamp('client:many')))
    const entry = store.recordAudit(stamp('operator'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const began = performance.now()
    await store.issue(use('another'))
    expect(performance.now() - began).toBeLessThan(500)
    await holder.end()
    await entry
    // A slow machine declines the last ones of the flood.
    await Promise.allSettled(flood)
    const entries = await store.listAudit({ node: 'one', after: 0, limit: 200 })
    const place = entries.findIndex(({ entry }) => entry.includes('operator'))
    expect(place).toBeGreaterThan(0)
    expect(place).toBeLessThan(flood.length / 4)
  })

  it('gives its connections back when it is closed', async () => {
    const url = await server.createDatabase()
    const store = await openPostgresStore({ url })
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.issue(use(String(index)))))
    await Promise.all([store.close(), store.close()])
    await expect(store.listClients()).rejects.toBeInstanceOf(StoreUnavailable)
    const others = 'datname = current_database() and pid <> pg_backend_pid()'
    await expect.poll(() => ask(url, `select 1 from pg_stat_activity where ${others}`)).toEqual([])
  })
})
