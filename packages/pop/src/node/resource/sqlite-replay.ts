import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import type { Seconds } from '../../foundation/clock.ts'
import type { ProofUse, Replay } from '../../proof/replay.ts'

/** The replay memory of the processes of one machine, until it is closed. */
export interface SqliteReplay extends Replay, Disposable {
  readonly close: () => void
}

/**
 * The pauses after which a locked file is tried again, in milliseconds: a quarter of a second in all. SQLite's own
 * waiting is switched off, since nothing else would happen in this process meanwhile.
 */
const pauses = [2, 5, 10, 20, 40, 80, 100]

/** How many uses are forgotten at once: a fraction of a millisecond's work. */
const chunk = 128

/** SQLite's number for a file that another connection has locked. */
const busy = 5

const table = `
  create table if not exists proof_use (key text primary key, expires integer not null) strict, without rowid;
  create index if not exists proof_use_by_expiry on proof_use (expires);
`

/**
 * Opens a replay memory in an SQLite file, which the processes of one machine share: each opens it for itself. A proof
 * is used by one insertion, so exactly one of them wins. The file must lie on a local disk.
 *
 * What was used stays used when a process ends or is killed. The disk is not waited for (`synchronous = normal`): when the
 * machine itself loses power, the last moments may be forgotten, which a proof outlives by a minute at most. To wait
 * would cost every request several times what checking its signature does.
 *
 * @throws Error when the file cannot be opened or is no database
 */
export function createSqliteReplay(file: string): SqliteReplay {
  const database = open(file)
  const insertion = database.prepare('insert into proof_use (key, expires) values (?, ?) on conflict do nothing')
  const deletion = database.prepare(
    `delete from proof_use where key in (select key from proof_use where expires < ? order by expires limit ${chunk})`,
  )
  let purged: Seconds = 0
  let forgotten: Seconds = 0

  const insert = ({ key, expires }: ProofUse): boolean => insertion.run(key, expires).changes === 1

  async function insertLater(use: ProofUse): Promise<boolean> {
    for (const milliseconds of pauses) {
      await pause(milliseconds)
      const isFirst = unlessBusy(() => insert(use))
      if (isFirst !== undefined) return isFirst
    }
    throw new Error(`Another process keeps the replay memory locked: ${file}`)
  }

  /** Once a second; goes on with the next use where there was more to forget. */
  function purge(now: Seconds): void {
    if (now === purged) return
    forgotten = Math.max(forgotten, Math.floor(now))
    const deleted = unlessBusy(() => deletion.run(Math.floor(now)).changes)
    if (deleted !== chunk) purged = now
  }

  const close = (): void => {
    if (database.isOpen) database.close()
  }
  return {
    use(use, now) {
      // It was judged by a clock that was set back since, and its first use may be forgotten.
      if (use.expires < forgotten) return false
      const isFirst = unlessBusy(() => insert(use))
      if (isFirst === undefined) return insertLater(use)
      purge(now)
      return isFirst
    },
    close,
    [Symbol.dispose]: close,
  }
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    database.exec(`pragma journal_mode = wal; pragma synchronous = normal; ${table}`)
    database.exec('pragma busy_timeout = 0')
    return database
  } catch (cause) {
    database.close()
    throw new Error(`The replay memory cannot be opened: ${file}`, { cause })
  }
}

/** @returns undefined when the file is locked by another process */
function unlessBusy<Value>(act: () => Value): Value | undefined {
  try {
    return act()
  } catch (cause) {
    if (cause instanceof Error && 'errcode' in cause && (Number(cause.errcode) & 0xff) === busy) return undefined
    throw cause
  }
}
