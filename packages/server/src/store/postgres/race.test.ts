import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../../conformance/postgres-server.ts'
import { type RedisServer, startRedis } from '../../../../../conformance/redis-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { sampleAuthorization, sampleCode, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openPostgresStore } from './postgres.ts'
import type { Memory, Race } from './race.fixture.ts'

/** How many rounds there are, by how many call in each; `HOLDFAST_ROUNDS` says otherwise: 10000 for the long run. */
const { HOLDFAST_ROUNDS } = process.env
const roundsOf = (callers: number) => Number(HOLDFAST_ROUNDS ?? (callers === 2 ? 200 : 25))

/** So long a round of so many callers takes on two cores, in milliseconds. */
const intervals: Readonly<Record<number, number>> = { 2: 10, 64: 50 }

requirePrograms('postgres', 'redis-server')('two processes that use one thing at the same moment', () => {
  let postgres: PostgresServer
  let redis: RedisServer
  let database: string
  let processes: readonly ChildProcess[]
  let races = 0
  beforeAll(async () => {
    processes = Array.from({ length: 2 }, () => fork(new URL('./race.fixture.ts', import.meta.url)))
    postgres = await startPostgres()
    redis = await startRedis('--maxmemory-policy', 'noeviction')
    database = await postgres.createDatabase()
    await (await openPostgresStore({ url: database })).close()
  })
  afterAll(async () => {
    for (const each of processes ?? []) each.kill('SIGKILL')
    await postgres?.stop()
    await redis?.stop()
  })

  /** How often each thing was used in those rounds in which both processes were in time. */
  async function run(memory: Memory, callers: number, length: number): Promise<readonly number[]> {
    const name = `race ${races++}`
    const things = Array.from({ length }, (_, round) => `${name} ${round}`)
    if (memory !== 'proof' && memory !== 'proof in Redis') await prepare(things)
    const url = memory === 'proof in Redis' ? redis.url : database
    const race: Race = { memory, url, things, callers: callers / 2, interval: intervals[callers] ?? 50 }
    const ready = processes.map((each) => once(each, 'message'))
    for (const each of processes) each.send(race)
    await Promise.all(ready)
    const ended = processes.map((each) => once(each, 'message'))
    const begins = Date.now() + 50
    for (const each of processes) each.send(begins)
    const [one, other] = await Promise.all(ended.map(async (each) => (await each)[0] as (number | null)[]))
    return things.flatMap((_, round) => {
      const [here, there] = [one?.[round] ?? undefined, other?.[round] ?? undefined]
      return here === undefined || there === undefined ? [] : [here + there]
    })
  }

  /** Makes what the rounds use up: a code and a refresh token each, of a family of its own. */
  async function prepare(things: readonly string[]): Promise<void> {
    const store = await openPostgresStore({ url: database })
    for (let from = 0; from < things.length; from += 50) {
      await Promise.all(
        things.slice(from, from + 50).map((name) =>
          store.issue({
            uses: [],
            authorization: { ...sampleAuthorization, id: name },
            code: { ...sampleCode, hash: name, authorizationId: name },
            refreshToken: { ...sampleRefreshToken, hash: name, authorizationId: name },
          }),
        ),
      )
    }
    await store.close()
  }

  const cases = (['proof', 'proof in Redis', 'code', 'refresh token'] as const).flatMap((memory) =>
    [2, 64].map((callers) => [memory, callers] as const),
  )
  it.each(cases)(
    '[F14] [F15] a %s: exactly one of %i callers wins each round',
    {
      timeout: 30_000 + 200 * roundsOf(64),
    },
    async (memory, callers) => {
      const length = roundsOf(callers)
      const wins = await run(memory, callers, length)
      expect(wins.length).toBeGreaterThan(length / 10)
      expect(wins.filter((each) => each > 1)).toEqual([])
      // On a busy machine an answer may come too late for whoever waits: nobody passes then.
      expect(wins.filter((each) => each === 1).length).toBeGreaterThan(0.7 * wins.length)
    },
  )

  it('[F14] a memory that looks first and marks later is caught', { timeout: 30_000 }, async () => {
    expect((await run('naively', 2, 50)).filter((each) => each > 1)).not.toEqual([])
  })
})
