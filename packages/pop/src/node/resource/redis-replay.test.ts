import { hash, randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type RedisServer, startRedis, startRedisCluster } from '../../../../../conformance/redis-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import type { ProofUse } from '../../proof/replay.ts'
import { createRedisReplay, type RedisReplay, requireNoEviction } from './redis-replay.ts'

/** The memory begins when it is asked first, and takes what was surely made after that, so tests ask later. Never in the past. */
const began = 4_000_000_000
const now = began + 11

function newUse(changes: Partial<ProofUse> = {}): ProofUse {
  return { key: hash('sha256', randomUUID(), 'base64url'), made: now, expires: now + 60, ...changes }
}

requirePrograms('redis-server', 'redis-cli')('[RFC9449-11.1] a replay memory in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis('--maxmemory-policy', 'noeviction')
    await createRedisReplay(connect()).begin(began)
  })
  afterAll(() => server?.stop())

  function connect(url = server.url): Redis {
    const redis = new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: true })
    redis.on('error', () => {})
    onEnd(redis)
    return redis
  }
  const open: (Redis | Cluster)[] = []
  const onEnd = (redis: Redis | Cluster) => void open.push(redis)
  afterAll(() => {
    for (const redis of open) redis.disconnect()
  })

  it('takes a proof once', async () => {
    const replay = createRedisReplay(connect())
    const use = newUse()
    expect(await replay.use(use, now)).toBe(true)
    expect(await replay.use(use, now)).toBe(false)
    expect(await replay.use(newUse(), now)).toBe(true)
  })

  it('[F14] takes a proof once of 64 at once, over two connections', async () => {
    const replays = [createRedisReplay(connect()), createRedisReplay(connect())]
    for (let round = 0; round < 20; round++) {
      const use = newUse()
      const callers = Array.from({ length: 64 }, (_, index) => replays[index % 2]?.use(use, now))
      expect((await Promise.all(callers)).filter(Boolean)).toHaveLength(1)
    }
  })

  it('forgets it a minute after it could pass last, and no sooner', async () => {
    const redis = connect()
    const use = newUse()
    const replay = createRedisReplay(redis, { prefix: 'life' })
    await replay.begin(began)
    await replay.use(use, now)
    const [key] = (await redis.keys('life:*')).filter((each) => each.endsWith(use.key))
    const left = await redis.pttl(key ?? '')
    expect(left).toBeGreaterThan(119_000)
    expect(left).toBeLessThanOrEqual(120_000)
  })

  it('[F13] takes nothing that was made until it began: another one may have been emptied', async () => {
    const replay = createRedisReplay(connect(), { prefix: 'fresh' })
    const first = newUse({ made: began })
    await expect(replay.use(first, began)).rejects.toThrow('began after')
    expect(await replay.use({ ...first, made: began + 11 }, began + 11)).toBe(true)
  })

  it('[F13] takes no proof twice that a clock has made ahead, when it was emptied in between', async () => {
    const redis = connect()
    const replay = createRedisReplay(redis, { prefix: 'ahead' })
    await replay.begin(began)
    const use = newUse({ made: now + 10 })
    expect(await replay.use(use, now)).toBe(true)
    await redis.flushall()
    await replay.begin(now)
    await expect(replay.use(use, now + 10)).rejects.toThrow('began after')
  })

  it('[F16] takes no proof twice that Redis has forgotten because the clock was set back', async () => {
    const redis = connect()
    const replay = createRedisReplay(redis, { prefix: 'back' })
    await replay.begin(began)
    const passed = vi.spyOn(performance, 'now')
    onTestFinished(() => passed.mockRestore())
    const begun = performance.now()
    const later = (seconds: number) => passed.mockReturnValue(begun + seconds * 1000)
    const use = newUse({ made: now + 300, expires: now + 360 })
    later(0)
    expect(await replay.use(use, now + 300)).toBe(true)
    // Two minutes later it is forgotten; the clock was right again since, and has come to where the proof would pass.
    for (const name of await redis.keys('back:*')) if (name.endsWith(use.key)) await redis.del(name)
    later(291)
    await expect(replay.use(use, now + 291)).rejects.toThrow('set back')
    later(901)
    expect(await replay.use(newUse({ made: now + 901, expires: now + 961 }), now + 901)).toBe(true)
  })

  it('[F13] [F16] begins by its own clock, where that of the first caller is behind', async () => {
    const redis = connect()
    const time = Math.floor(Date.now() / 1000)
    const beginOf = async (prefix: string, at: number) => {
      await createRedisReplay(redis, { prefix }).begin(at)
      return Number((await redis.hvals(`${prefix}:{0}:run`))[0])
    }
    expect(await beginOf('slow', time - 20)).toBeGreaterThanOrEqual(time)
    expect(await beginOf('fast', time + 20)).toBe(time + 20)
    expect(await beginOf('far', time - 1000)).toBe(time - 940)
  })

  describe.each<[string, (server: RedisServer, redis: Redis) => Promise<void>]>([
    ['emptied', async (_, redis) => void (await redis.flushall())],
    ['started again, empty', (server) => server.restart()],
    [
      'started again with what it held before',
      async (server, redis) => {
        await server.restart()
        expect(await redis.get('held')).toBe('1')
      },
    ],
    [
      'filled by somebody else, and evicts',
      async (_, redis) => {
        await redis.config('SET', 'maxmemory-policy', 'allkeys-random')
        await redis.config('SET', 'maxmemory', '2mb')
        const filler = Array.from({ length: 3000 }, (_, index) => redis.set(`filler ${index}`, 'x'.repeat(1000)))
        await Promise.all(filler)
        await redis.config('SET', 'maxmemory-policy', 'noeviction')
        await redis.config('SET', 'maxmemory', '0')
      },
    ],
  ])('[F13] that was %s', (injury, injure) => {
    /** How many of 64 proofs pass again after that. */
    async function replaysOf(create: (redis: Redis) => Pick<RedisReplay, 'use'> & Partial<RedisReplay>) {
      const own = await startRedis('--maxmemory-policy', 'noeviction')
      onTestFinished(() => own.stop())
      const redis = connect(own.url)
      const replay = create(redis)
      await replay.begin?.(began)
      await redis.set('held', '1')
      if (injury.includes('held before')) await redis.save()
      const uses = Array.from({ length: 64 }, () => newUse())
      for (const use of uses) expect(await replay.use(use, now)).toBe(true)
      await injure(own, redis)
      const again = await Promise.allSettled(uses.map((use) => replay.use(use, now + 1)))
      const later = await Promise.allSettled(uses.map((use) => replay.use(use, now + 30)))
      const passed = [...again, ...later].filter((each) => each.status === 'fulfilled' && each.value).length
      return { passed, next: await replay.use(newUse({ made: now + 30 }), now + 30) }
    }

    it('takes no proof twice, and soon takes new ones', { timeout: 20_000 }, async () => {
      expect(await replaysOf((redis) => createRedisReplay(redis, { timeout: 5000 }))).toEqual({ passed: 0, next: true })
    })

    it('and a memory that trusts its server is caught', { timeout: 20_000 }, async () => {
      const naive = (redis: Redis) => ({
        use: async ({ key }: ProofUse) => (await redis.set(key, '1', 'PX', 120_000, 'NX')) === 'OK',
      })
      expect((await replaysOf(naive)).passed).toBeGreaterThan(0)
    })
  })

  it.each([
    ['allkeys-lru', false],
    ['volatile-ttl', false],
    ['noeviction', true],
  ])('[F13] says of maxmemory-policy %s whether it will do: %s', async (policy, will) => {
    const redis = connect()
    await redis.config('SET', 'maxmemory-policy', policy)
    onTestFinished(async () => void (await redis.config('SET', 'maxmemory-policy', 'noeviction')))
    const looked = await requireNoEviction(redis).then(
      () => true,
      () => false,
    )
    expect(looked).toBe(will)
  })

  it('[F12] fails within its time when the server hangs, and goes on when that does', async () => {
    const replay = createRedisReplay(connect(), { prefix: 'hung' })
    await replay.begin(began)
    await replay.use(newUse(), now)
    server.signal('SIGSTOP')
    const asked = performance.now()
    await expect(replay.use(newUse(), now)).rejects.toThrow('250 ms')
    expect(performance.now() - asked).toBeLessThan(1000)
    server.signal('SIGCONT')
    expect(await replay.use(newUse(), now)).toBe(true)
  })

  it('[F12] fails when the server is gone', async () => {
    const other = await startRedis()
    onTestFinished(() => other.stop())
    const replay = createRedisReplay(connect(other.url))
    await replay.begin(began)
    await other.kill()
    await expect(replay.use(newUse(), now)).rejects.toThrow()
  })

  describe('that is a cluster', () => {
    let nodes: readonly RedisServer[]
    beforeAll(async () => {
      nodes = await startRedisCluster()
    })
    afterAll(() => Promise.all((nodes ?? []).map((node) => node.stop())))

    it('takes each proof once, wherever it lies', async () => {
      const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
      onEnd(cluster)
      const replay = createRedisReplay(cluster, { timeout: 5000 })
      await replay.begin(began)
      const uses = Array.from({ length: 200 }, () => newUse())
      expect(new Set(await Promise.all(uses.map((use) => replay.use(use, now))))).toEqual(new Set([true]))
      expect(new Set(await Promise.all(uses.map((use) => replay.use(use, now))))).toEqual(new Set([false]))
      const sizes = await Promise.all(cluster.nodes('master').map((node) => node.dbsize()))
      expect(Math.min(...sizes)).toBeGreaterThan(0)
      await requireNoEviction(cluster)
    })
  })
})
