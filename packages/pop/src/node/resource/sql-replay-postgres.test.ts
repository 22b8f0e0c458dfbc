import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { createSqlReplay, sqlReplayTable } from './sql-replay.ts'

const now = 1_800_000_000

requirePrograms('postgres')('[RFC9449-11.1] a replay memory in PostgreSQL', () => {
  let server: PostgresServer
  let pools: readonly [Pool, Pool]
  beforeAll(async () => {
    server = await startPostgres()
    const connectionString = await server.createDatabase()
    pools = [new Pool({ connectionString }), new Pool({ connectionString })]
    for (const pool of pools) pool.on('error', () => {})
    await pools[0].query(sqlReplayTable)
  })
  afterAll(async () => {
    await Promise.all((pools ?? []).map((pool) => pool.end()))
    await server?.stop()
  })

  const replayOf = (pool: Pool) => createSqlReplay((sql, values) => pool.query(sql, [...values]))

  it('[F14] takes a proof once of 64 at once, over two pools', async () => {
    const replays = pools.map(replayOf)
    for (let round = 0; round < 10; round++) {
      const use = { key: randomUUID(), made: now, expires: now + 60 }
      const callers = Array.from({ length: 64 }, (_, index) => replays[index % 2]?.use(use, now))
      expect((await Promise.all(callers)).filter(Boolean)).toHaveLength(1)
    }
  })

  it('forgets what can no longer pass, and nothing else', async () => {
    const [pool] = pools
    const replay = replayOf(pool)
    await replay.use({ key: 'old', made: now, expires: now + 60 }, now)
    await replay.use({ key: 'new', made: now + 600, expires: now + 660 }, now + 600)
    const left = async () => (await pool.query('select key from holdfast_proof_use')).rows.map(({ key }) => key)
    await expect.poll(left).toEqual(['new'])
  })

  it('rejects while the server is away', async () => {
    await server.kill()
    const use = { key: randomUUID(), made: now, expires: now + 60 }
    await expect(replayOf(pools[0]).use(use, now)).rejects.toThrow()
  })
})
