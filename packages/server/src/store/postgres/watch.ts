import type { Kysely } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import type { Report } from '../../ports/report.ts'
import type { Schema } from '../schema.ts'
import { changesChannel } from '../verbs/state.ts'

/** What other processes changed, for those who keep copies. */
export interface Watch {
  readonly tell: (listener: () => void) => void
  readonly close: () => Promise<void>
}

/** How long a change can go unnoticed while nobody is told, in milliseconds. */
const pollInterval = 1000

/**
 * Watches the counter that each change of clients and signing keys moves: looks at it when the server tells of one, and
 * once a second in any case, since a connection can be lost without a word.
 */
export function watchChanges({
  pool,
  db,
  report,
}: {
  readonly pool: Pool
  readonly db: Kysely<Schema>
  readonly report: (report: Report) => void
}): Watch {
  const listeners: (() => void)[] = []
  let seen: number | undefined
  let ear: PoolClient | undefined
  let closed = false
  let looking: Promise<void> | undefined

  const look = (): Promise<void> => {
    looking ??= read().finally(() => {
      looking = undefined
    })
    return looking
  }
  const read = async (): Promise<void> => {
    try {
      const row = await db.selectFrom('state').select('changes').executeTakeFirst()
      // The first look may come late: what somebody has kept by then is from before.
      const before = seen
      seen = row?.changes ?? 0
      if (before !== seen) for (const listener of listeners) listener()
      if (!ear && !closed) await listen()
    } catch {
      // whoever needs the database reports that it is away
    }
  }
  const listen = async (): Promise<void> => {
    const client = await pool.connect()
    ear = client
    client.on('notification', () => void look())
    client.on('error', (cause) => {
      if (ear === client) report({ level: 'warn', event: 'store_deaf', cause })
      lose(client)
    })
    await client.query(`listen ${changesChannel}`).catch((cause: unknown) => {
      lose(client)
      throw cause
    })
  }
  /** Once: a connection can break in several ways at the same time. */
  const lose = (client: PoolClient | undefined): void => {
    if (!client || ear !== client) return
    ear = undefined
    client.release(true)
  }

  void look()
  const poll = setInterval(() => void look(), pollInterval).unref()
  return {
    tell: (listener) => void listeners.push(listener),
    close: async () => {
      closed = true
      clearInterval(poll)
      await looking
      lose(ear)
    },
  }
}
