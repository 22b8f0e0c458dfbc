import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@holdfast/pop'
import { Kysely, PostgresDialect, type PostgresPool } from 'kysely'
import { Pool, type PoolConfig, types } from 'pg'
import type { AuditStamp } from '../../model/audit.ts'
import { createQueue } from '../../model/turns.ts'
import type { Report } from '../../ports/report.ts'
import { type Audited, type Issue, type Store, StoreUnavailable } from '../../ports/store.ts'
import { assembleStore } from '../assemble.ts'
import type { Schema } from '../schema.ts'
import { StoreAway, StoreUnusable } from '../unusable.ts'
import { Undone } from '../verbs/undone.ts'
import { type ChangeName, changes, type ReadName, reads } from '../verbs.ts'
import { watchClock } from './clock.ts'
import { isConflict, isOutage } from './failure.ts'
import { preparePostgres } from './preparation.ts'
import { watchChanges } from './watch.ts'

/** How a PostgreSQL store is opened. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with the parameters of libpq: `sslmode=verify-full` and so on. */
  readonly url: string
  /** How many connections this process may have, one of which listens. 10 by default. */
  readonly connections?: number
  /** This node's clock, compared with the server's. The system's when left out. */
  readonly now?: Clock
  readonly report?: (report: Report) => void
  /** So long it is waited for a server that does not answer yet, in seconds: 0 when left out. */
  readonly patience?: number
}

/** How long a caller waits for a connection, and a statement for its answer, in milliseconds. */
const patience = { connection: 1000, statement: 1500 } as const

/** How many callers may wait for a connection. */
const mostWaiting = 1000

/**
 * What is recorded waits for the end of the node's audit log, which one transaction at a time holds: so much of the
 * connections may wait there, and who causes many entries keeps neither others' entries nor other requests waiting.
 */
const shareOfRecording = 0.3

/** How often a change is tried that lost to another one. */
const mostTries = 4

/**
 * Opens a database of a PostgreSQL server and migrates it. Any number of processes share it; nothing is kept in one that
 * another must know. Each change is a transaction of its own.
 * @throws {@link StoreUnusable} when it is too old, does not wait for the disk, or was migrated by a newer Holdfast
 * @throws {@link StoreAway} when it does not answer
 */
export async function openPostgresStore({
  url,
  connections = 10,
  now = () => Math.floor(Date.now() / 1000),
  report = () => {},
  patience: longest = 0,
}: PostgresOptions): Promise<Store> {
  await prepareInTime(url, longest, report)
  const pool = createPool({ ...connectionTo(url), ...deadlines, max: connections })
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: preparing(pool) }) })
  const watching = watchChanges({ pool, db, report })
  const forgetClock = await watchClock({ db, now, report })

  const recording = createQueue({
    atOnce: Math.max(Math.floor(connections * shareOfRecording), 1),
    longestWait: patience.connection,
    tooLate: () => new StoreUnavailable('Too many changes wait for the audit log already.'),
  })

  async function guarded<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work()
    } catch (cause) {
      if (!isOutage(cause)) throw cause
      report({ level: 'warn', event: 'store_unreachable', cause })
      throw new StoreUnavailable('The database does not answer.', { cause })
    }
  }

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    forgetClock()
    await watching.close()
    await pool.end()
  }

  return assembleStore(
    {
      change(name, data) {
        const make = () => guarded(() => change(db, name, data))
        const recorded = stampIn(name, data)
        return recorded ? recording(make, recorded.actor) : make()
      },
      read: (name, data) => guarded(() => verbOf(reads, name)(db, data)),
    },
    { watch: watching.tell, close: () => (closing ??= close()) },
  )
}

/** Waits for a server that is being started too. @throws {@link StoreUnusable}, {@link StoreAway} */
async function prepareInTime(url: string, longest: number, report: (report: Report) => void): Promise<void> {
  const until = Date.now() + longest * 1000
  for (;;) {
    try {
      return await prepare(url)
    } catch (cause) {
      if (!(cause instanceof StoreAway) || Date.now() >= until) throw cause
      report({ level: 'warn', event: 'store_awaited', cause })
      await sleep(Math.min(pause, until - Date.now()))
    }
  }
}

/** Between two looks at a server that is not there yet, in milliseconds. */
const pause = 1000

/** Migrates over a connection of its own, which may take its time. @throws {@link StoreUnusable}, {@link StoreAway} */
async function prepare(url: string): Promise<void> {
  const pool = createPool({ ...connectionTo(url), max: 1 })
  try {
    await preparePostgres(new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }))
  } catch (cause) {
    if (cause instanceof StoreUnusable) throw cause
    const message = `store.postgres: ${messageOf(cause)}.`
    throw isOutage(cause) ? new StoreAway(message, { cause }) : new StoreUnusable(message, { cause })
  } finally {
    await pool.end()
  }
}

/** Without the address, in which there may be a password. */
function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message || String(Reflect.get(cause, 'code')) : String(cause)
}

/**
 * The proof of a client that acts for itself is all that most requests have to remember: one statement, which is a
 * transaction by itself.
 */
function isOneStatement(name: ChangeName, data: unknown): boolean {
  if (name !== 'issue') return false
  // as: the data of this verb.
  const { uses, ...rest } = data as Issue
  return uses.length === 1 && Object.keys(rest).length === 0
}

/** The entry of the audit log that a change makes. */
function stampIn(name: ChangeName, data: unknown): AuditStamp | undefined {
  // as: the data of these verbs.
  if (name === 'audited') return (data as Audited).audit
  return name === 'recordAudit' ? (data as AuditStamp) : undefined
}

/** Makes a change, again where it only lost to another one at the same time: it has changed nothing then. */
async function change(db: Kysely<Schema>, name: ChangeName, data: unknown): Promise<unknown> {
  const verb = verbOf(changes, name)
  for (let tries = 1; ; tries++) {
    try {
      if (isOneStatement(name, data)) return await verb(db, data)
      return await db.transaction().execute((transaction) => verb(transaction, data))
    } catch (cause) {
      if (cause instanceof Undone) return cause.answer
      if (!isConflict(cause) || tries === mostTries) throw cause
    }
  }
}

type AnyVerb = (db: Kysely<Schema>, data: unknown) => Promise<unknown>

function verbOf<Name extends ChangeName | ReadName>(list: Readonly<Record<Name, unknown>>, name: Name): AnyVerb {
  // as: the store's methods have the types of the verbs.
  return list[name] as AnyVerb
}

/** Each connection asks for durability itself, whatever the server's default is. */
function connectionTo(connectionString: string): PoolConfig {
  return {
    connectionString,
    application_name: 'holdfast',
    connectionTimeoutMillis: patience.connection,
    options: '-c synchronous_commit=on -c default_transaction_isolation=read\\ committed',
    types: { getTypeParser: (id, format) => (id === types.builtins.INT8 ? Number : types.getTypeParser(id, format)) },
  }
}

/** Connections break, in use or not: who uses one is told by its statement, and an event that nobody hears ends the process. */
function createPool(config: PoolConfig): Pool {
  const pool = new Pool(config)
  pool.on('error', () => {})
  pool.on('connect', (connection) => connection.on('error', () => {}))
  return pool
}

/** A caller gets its answer in time, or none: also from a server that has stopped in the middle of one. */
const deadlines = {
  statement_timeout: patience.statement,
  query_timeout: patience.statement + 500,
  idle_in_transaction_session_timeout: 2 * patience.statement,
} as const

/** Lets each connection prepare a statement once, under a name that is the same on all of them; one that failed is closed. */
function preparing(pool: Pool): PostgresPool {
  const names = new Map<string, string>()
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? `holdfast_${names.size}`
    names.set(text, name)
    return name
  }
  const lend = async (): Promise<Lent> => {
    if (pool.waitingCount >= mostWaiting)
      throw new StoreUnavailable(`${mostWaiting} callers wait for the database already.`)
    const client = await pool.connect()
    let broken: unknown
    return {
      async query(text, values) {
        if (broken) throw broken
        try {
          return await client.query({ name: nameOf(text), text, values: [...values] })
        } catch (cause) {
          if (isOutage(cause) && !isConflict(cause)) broken = cause
          throw cause
        }
      },
      release: () => client.release(broken !== undefined),
    }
  }
  const lending: object = { connect: lend, end: () => pool.end() }
  return lending as PostgresPool
}

/** A connection as Kysely uses it. */
interface Lent {
  readonly query: (text: string, values: readonly unknown[]) => Promise<unknown>
  readonly release: () => void
}
