import { setTimeout as pause } from 'node:timers/promises'
import { createClientCertificate, createTestProofKey, signProof } from '@holdfast/pop/testing'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { type Answer, basic, claimsOf, type Harness, startServer } from './harness.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { requirePrograms } from './requires.ts'
import { openPipe, type Pipe } from './tcp-pipe.ts'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
const key = createTestProofKey()

requirePrograms('redis-server')('used proofs in Redis, when something happens to it', () => {
  let redis: RedisServer
  let pipe: Pipe
  let server: Harness
  /** By how much the server and its clients are ahead: what began is ten seconds old at once. */
  let ahead: number
  beforeEach(async () => {
    redis = await startRedis('--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0')
    pipe = await openPipe(redis.port)
    server = await startServer((settings) => ({ ...settings, replay: { redis: [`redis://127.0.0.1:${pipe.port}`] } }))
    ahead = 0
    advance(11)
    await expect.poll(async () => (await ask()).status).toBe(200)
  })
  afterEach(async () => {
    await server?.close()
    await pipe?.close()
    await redis?.stop()
  })

  function advance(seconds: number): void {
    ahead += seconds
    server.advance(seconds)
  }

  function proof(): string {
    const now = Math.floor(Date.now() / 1000) + ahead
    return signProof(key, { method: 'POST', url: `${server.issuer}/token`, now })
  }

  const ask = (dpop = proof()): Promise<Answer> => server.token({}, { headers: { dpop } })

  /** Proofs that have passed, one after the other: nothing is too busy for them. */
  async function usedProofs(count: number): Promise<readonly string[]> {
    const used: string[] = []
    while (used.length < count) {
      const next = proof()
      if ((await ask(next)).status === 200) used.push(next)
    }
    return used
  }

  /** How many of them pass again. */
  async function replaysOf(proofs: readonly string[]): Promise<number> {
    const answers = await Promise.all(proofs.map((each) => ask(each)))
    return answers.filter(({ status }) => status === 200).length
  }

  /** How long a request takes of some that come one after the other, in milliseconds: the median. */
  async function timeOf(count: number, request: () => Promise<unknown>): Promise<number> {
    const times: number[] = []
    for (let round = 0; round < count; round++) {
      const began = performance.now()
      await request()
      times.push(performance.now() - began)
    }
    return times.sort((one, other) => one - other)[Math.floor(count / 2)] ?? 0
  }

  const told = () => server.reports.filter(({ event }) => event === 'replay_unavailable')

  it.each<[string, () => unknown, () => unknown]>([
    ['gone', () => redis.kill(), () => redis.restart()],
    ['stopped', () => redis.signal('SIGSTOP'), () => redis.signal('SIGCONT')],
    ['slow by 500 ms', () => pipe.treat({ delay: 500 }), () => pipe.treat('pass')],
    ['rejecting', () => pipe.treat('reject'), () => pipe.treat('pass')],
  ])('[F12] that is %s: 503 in time, no replay, and all else goes on', async (_, injure, heal) => {
    const used = await usedProofs(20)
    const busy = await timeOf(8, () => ask())
    await injure()
    let count = 0
    const took = await timeOf(8, async () => {
      const answer = await ask(count++ % 2 ? used[count] : undefined)
      expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable'])
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    })
    expect(took).toBeLessThan(300 + 3 * busy)
    expect(await replaysOf(used)).toBe(0)
    const bound = await server.token({ client_id: 'bound' }, { certificate })
    expect([bound.status, Object.keys(claimsOf(bound.json.access_token).cnf)]).toEqual([200, ['x5t#S256']])
    const { access_token: token } = (await server.token({ client_id: 'reference' })).json
    const asked = await server.post('/introspect', { token }, { headers: basic('api1', 'api1-secret') })
    expect(asked.json.active).toBe(true)
    expect(told()).toHaveLength(1)
    await heal()
    for (let round = 0; round < 5; round++) {
      expect(await replaysOf(used)).toBe(0)
      await pause(100)
    }
    advance(30)
    expect(await replaysOf(used)).toBe(0)
    await expect.poll(async () => (await ask()).status, { timeout: 10_000, interval: 200 }).toBe(200)
    expect(await replaysOf(used)).toBe(0)
  })

  it('[F12] an outage is told once in ten seconds', async () => {
    const clock = vi.spyOn(Date, 'now')
    onTestFinished(() => clock.mockRestore())
    const real = performance.timeOrigin
    let later = 0
    clock.mockImplementation(() => Math.floor(real + performance.now()) + later)
    pipe.treat('reject')
    for (let count = 0; count < 10; count++) await ask()
    expect(told()).toHaveLength(1)
    later = 9000
    await ask()
    expect(told()).toHaveLength(1)
    later = 11_000
    await ask()
    await ask()
    expect(told()).toHaveLength(2)
  })

  it('[F13] that fails over to a replica which lacks the last moments: no replay', async () => {
    const feed = await openPipe(redis.port)
    onTestFinished(() => feed.close())
    const following = ['--replicaof', '127.0.0.1', String(feed.port)]
    const replica = await startRedis('--maxmemory-policy', 'noeviction', ...following)
    onTestFinished(() => replica.stop())
    const [primary, standby] = [new Redis(redis.url), new Redis(replica.url)]
    for (const each of [primary, standby]) {
      each.on('error', () => {})
      onTestFinished(() => each.disconnect())
    }
    await expect
      .poll(async () => await standby.info('replication'), { timeout: 10_000 })
      .toContain('master_link_status:up')
    const before = await usedProofs(5)
    await expect.poll(async () => await standby.dbsize()).toBe(await primary.dbsize())
    // From here on nothing reaches the replica.
    feed.treat('reject')
    const after = await usedProofs(20)
    await redis.kill()
    await standby.call('replicaof', 'no', 'one')
    expect(await standby.dbsize()).toBeGreaterThan(5)
    expect(await standby.dbsize()).toBeLessThan(20)
    pipe.lead(replica.port)
    for (let round = 0; round < 10; round++) {
      expect(await replaysOf([...before, ...after])).toBe(0)
      await pause(50)
    }
    advance(30)
    await expect.poll(async () => (await ask()).status, { timeout: 10_000, interval: 200 }).toBe(200)
    expect(await replaysOf([...before, ...after])).toBe(0)
  })

  it('[F13] that was told to evict while it ran: no replay, and 503 until it is told otherwise', async () => {
    const used = await usedProofs(20)
    const operator = new Redis(redis.url)
    onTestFinished(() => operator.disconnect())
    await operator.config('SET', 'maxmemory', '2mb')
    await operator.config('SET', 'maxmemory-policy', 'allkeys-random')
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 300 }, (_, index) => operator.set(`${round} ${index}`, 'x'.repeat(1000))))
      expect(await replaysOf(used)).toBe(0)
    }
    expect(await operator.info('stats')).not.toContain('evicted_keys:0')
    await operator.config('SET', 'maxmemory-policy', 'noeviction')
    await operator.config('SET', 'maxmemory', '0')
    expect(await replaysOf(used)).toBe(0)
    advance(30)
    await expect.poll(async () => (await ask()).status, { timeout: 10_000, interval: 200 }).toBe(200)
    expect(await replaysOf(used)).toBe(0)
  })
})
