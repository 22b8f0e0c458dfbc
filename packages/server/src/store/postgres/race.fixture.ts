import { once } from 'node:events'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import type { Redemption, Store } from '../../ports/store.ts'
import { openRedisReplay } from '../redis-replay.ts'
import { sampleCode, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openPostgresStore } from './postgres.ts'

/** A memory of which things were used. `naively`: it looks first and marks later, as no memory may. */
export type Memory = 'proof' | 'proof in Redis' | 'code' | 'refresh token' | 'naively'

/** What a process of a race is told: in each round all callers of all processes use the same thing at the same moment. */
export interface Race {
  readonly memory: Memory
  /** A PostgreSQL database, or a Redis server. */
  readonly url: string
  /** The hash of what is used up, by round. */
  readonly things: readonly string[]
  /** In each process. */
  readonly callers: number
  /** How long a round takes, in milliseconds. */
  readonly interval: number
}

/** When all of this happens: before anything expires. */
const raced = 150

type Try = (thing: string, caller: number) => Promise<boolean>

async function open({ memory, url }: Race): Promise<{ readonly use: Try; readonly close: () => Promise<void> }> {
  if (memory === 'proof in Redis') {
    const redis = await openRedisReplay([url], false, { now: () => raced, report: () => {} })
    const use: Try = async (key) => await redis.use({ key, made: 1000, expires: 1060 }, raced)
    return { use, close: redis.close }
  }
  const store = await openPostgresStore({ url })
  return { use: (thing, caller) => useUp(store, memory, thing, caller), close: store.close }
}

/** Nobody passes whom the memory did not answer. */
function declined(): boolean {
  return false
}

async function useUp(store: Store, memory: Memory, hash: string, caller: number): Promise<boolean> {
  if (memory === 'naively') return await findThenSave(store, hash)
  if (memory === 'proof') return (await store.issue({ uses: [{ kind: 'proof', key: hash, expires: 1000 }] })).issued
  const kind: Redemption['kind'] = memory === 'code' ? 'code' : 'refresh_token'
  const successor = {
    ...sampleRefreshToken,
    hash: `${hash} ${process.pid} ${caller}`,
    authorizationId: hash,
    generation: 1,
  }
  const redemption = { uses: [], redemptions: [{ kind, hash }], now: raced }
  return (await store.issue({ ...redemption, ...(kind === 'refresh_token' && { refreshToken: successor }) })).issued
}

/** A code that is read, judged, and marked after that by a verb that does not look again. */
async function findThenSave(store: Store, hash: string): Promise<boolean> {
  const code = await store.findCode(hash)
  if (!code || (await store.isJwtRevoked({ jti: hash, issued: raced }))) return false
  await store.revokeJwt({ jti: hash, expires: sampleCode.expires })
  return true
}

async function run(race: Race): Promise<void> {
  const { use, close } = await open(race)
  // Connections are made before the race.
  await Promise.all(
    Array.from({ length: race.callers }, (_, caller) => use(`${process.pid} ${caller}`, caller).catch(declined)),
  )
  process.send?.('ready')
  const [begins] = await once(process, 'message')
  const wins: number[] = []
  for (let round = 0; round < race.things.length; ) {
    await barrier(begins + round * race.interval)
    const thing = race.things[round] ?? ''
    const tries = Array.from({ length: race.callers }, (_, caller) => use(thing, caller).catch(declined))
    wins[round] = (await Promise.all(tries)).filter(Boolean).length
    // A round whose moment has passed is left out.
    round = Math.max(round + 1, Math.ceil((Date.now() - begins) / race.interval))
  }
  await close()
  process.send?.(wins)
}

/** Until a moment, in milliseconds since 1970, and no later. */
async function barrier(moment: number): Promise<void> {
  const left = moment - Date.now()
  if (left > 2) await pause(left - 2)
  while (Date.now() < moment);
}

for (;;) {
  const [race] = await once(process, 'message')
  await run(race)
}
