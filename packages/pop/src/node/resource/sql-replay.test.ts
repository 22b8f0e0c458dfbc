import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { createSqlReplay, type SqlQuery, sqlReplayTable } from './sql-replay.ts'

const now = 1_800_000_000

/** A database that takes PostgreSQL's statements, with an answer that takes a moment. */
function createDatabase() {
  const database = new DatabaseSync(':memory:')
  const statements: string[] = []
  const query: SqlQuery = async (sql, parameters) => {
    statements.push(sql)
    await new Promise((resolve) => setTimeout(resolve, 1))
    const { changes } = database.prepare(sql.replaceAll('$', '?')).run(...parameters)
    return { rowCount: Number(changes) }
  }
  database.exec(sqlReplayTable)
  const rows = () =>
    database
      .prepare('select key from holdfast_proof_use order by key')
      .all()
      .map(({ key }) => key)
  return { query, rows, statements }
}

describe('RFC 9449 §11.1 a replay memory in a database', () => {
  it('takes each use once', async () => {
    const replay = createSqlReplay(createDatabase().query)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'b', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(false)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 300 }, now)).toBe(false)
  })

  it('by one of 64 at once, over two nodes', async () => {
    const { query } = createDatabase()
    const nodes = [createSqlReplay(query), createSqlReplay(query)]
    const uses = Array.from(
      { length: 64 },
      async (_, i) => await nodes[i % 2]?.use({ key: 'a', made: 0, expires: now + 60 }, now),
    )
    expect((await Promise.all(uses)).filter(Boolean)).toHaveLength(1)
  })

  it('by one statement, and never by reading first', async () => {
    const { query, statements } = createDatabase()
    const replay = createSqlReplay(query)
    await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)
    await replay.use({ key: 'b', made: 0, expires: now + 60 }, now)
    expect(statements.filter((sql) => !sql.includes('delete'))).toEqual(
      Array(2).fill('insert into holdfast_proof_use (key, expires) values ($1, $2) on conflict do nothing'),
    )
  })

  it('forgets a minute late, since another node may have a slower clock', async () => {
    const { query, rows } = createDatabase()
    const replay = createSqlReplay(query)
    await replay.use({ key: 'a', made: 0, expires: now }, now)
    await replay.use({ key: 'b', made: 0, expires: now + 120 }, now + 60)
    await until(() => rows().length === 2)
    await replay.use({ key: 'c', made: 0, expires: now + 131 }, now + 71)
    await until(() => rows().join() === 'b,c')
  })

  it('takes none twice when the clock leaps ahead and is put back', async () => {
    const { query, rows } = createDatabase()
    const replay = createSqlReplay(query)
    const use = { key: 'a', made: 0, expires: now + 60 }
    await replay.use(use, now)
    await replay.use({ key: 'b', made: 0, expires: now + 3660 }, now + 3600)
    await until(() => rows().join() === 'b')
    expect(await replay.use(use, now + 1)).toBe(false)
  })

  it('makes the table as often as it is asked to', () => {
    const database = new DatabaseSync(':memory:')
    database.exec(sqlReplayTable)
    expect(() => database.exec(sqlReplayTable)).not.toThrow()
  })
})

describe('a database that fails', () => {
  it.each<[string, SqlQuery]>([
    ['rejects', () => Promise.reject(new Error('no connection'))],
    [
      'throws',
      () => {
        throw new Error('no pool')
      },
    ],
    ['never answers', () => new Promise(() => {})],
    ['does not say how many rows there are', async () => ({ rowCount: null })],
    ['says too many', async () => ({ rowCount: 2 })],
    ['answers nothing', async () => undefined as never],
  ])('and %s has not taken the use', async (_, query) => {
    const replay = createSqlReplay(query, { timeout: 20 })
    await expect(async () => await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).rejects.toThrow()
  })

  it('at forgetting troubles nobody', async () => {
    const { query } = createDatabase()
    const replay = createSqlReplay(async (sql, parameters) => {
      if (sql.includes('delete')) throw new Error('no right to delete')
      return await query(sql, parameters)
    })
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'b', made: 0, expires: now + 160 }, now + 100)).toBe(true)
  })
})

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 2000, interval: 5 }).toBe(true)
}
