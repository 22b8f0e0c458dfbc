import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { type Answer, basic, type Harness, rowsOf, startServer } from './harness.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { requirePrograms } from './requires.ts'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

requirePrograms('redis-server', 'redis-cli')('used proofs in Redis, of two servers', () => {
  let redis: RedisServer
  let one: Harness
  let other: Harness
  beforeAll(async () => {
    redis = await startRedis('--maxmemory-policy', 'noeviction')
    one = await startServer((settings) => ({ ...settings, replay: { redis: [redis.url] } }))
    other = await startServer((settings) => ({
      ...settings,
      issuer: one.issuer,
      listen: { ...settings.listen, public: { ...settings.listen.public, origin: one.issuer } },
      replay: { redis: [redis.url] },
    }))
    await untilTaken(one)
  })
  afterAll(async () => {
    await Promise.all([one?.close(), other?.close()])
    await redis?.stop()
  })

  const key = createTestProofKey()
  let ahead = 0
  const proof = (): string => {
    const now = Math.floor(Date.now() / 1000) + ahead
    return signProof(key, { method: 'POST', url: `${one.issuer}/token`, now })
  }
  const ask = (node: Harness, dpop = proof()): Promise<Answer> => node.token({}, { headers: { dpop } })

  /** What was made within ten seconds after the memory began, or before, is declined: they pass at once. */
  async function untilTaken(node: Harness): Promise<void> {
    ahead += 11
    for (const each of [one, other]) each.advance(11)
    for (let tries = 0; (await ask(node)).status !== 200; tries++) {
      if (tries === 100) throw new Error('No proof is taken.')
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  it('[F14] are used once of 64 times at once', async () => {
    for (let round = 0; round < 5; round++) {
      const once = proof()
      const answers = await Promise.all(Array.from({ length: 64 }, (_, index) => ask(index % 2 ? one : other, once)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      // A machine that is busy may take longer than the memory is waited for.
      expect(answers.filter(({ status }) => ![200, 400, 503].includes(status))).toEqual([])
    }
  })

  it('touch no database', async () => {
    const before = rowsOf(one)
    expect((await ask(one)).status).toBe(200)
    expect(rowsOf(one)).toBe(before)
  })

  it('[F12] decline with 503 at once while Redis is gone; what needs no proof goes on; none passes again after', async () => {
    const used = proof()
    expect((await ask(one, used)).status).toBe(200)
    await redis.kill()
    const asked = performance.now()
    const answer = await ask(other)
    expect(performance.now() - asked).toBeLessThan(1000)
    expect(answer.status).toBe(503)
    expect(answer.json.error).toBe('temporarily_unavailable')
    expect(answer.headers['retry-after']).toBeDefined()
    expect((await one.token()).status).toBe(200)
    expect((await one.post('/introspect', { token: 'none' }, { headers: basic('api1', 'api1-secret') })).status).toBe(
      200,
    )
    await redis.restart()
    const again = await Promise.all(Array.from({ length: 32 }, () => ask(one, used)))
    expect(again.filter(({ status }) => status === 200)).toEqual([])
    await untilTaken(one)
    expect((await ask(one, used)).status).not.toBe(200)
  })

  it('[F12] decline in time while Redis hangs, and go on when it does', async () => {
    redis.signal('SIGSTOP')
    const asked = performance.now()
    expect((await ask(one)).status).toBe(503)
    expect(performance.now() - asked).toBeLessThan(1500)
    redis.signal('SIGCONT')
    await untilTaken(one)
  })

  it('[F13] stop the start where Redis would forget them', async () => {
    const forgetful = await startRedis('--maxmemory', '4mb', '--maxmemory-policy', 'allkeys-lru')
    onTestFinished(() => forgetful.stop())
    const started = startServer(
      (settings) => ({ ...settings, replay: { redis: [forgetful.url] } }),
      mkdtempSync(join(tmpdir(), 'holdfast-')),
    )
    await expect(started).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringContaining('noeviction'),
    })
  })

  it('let a server start that Redis does not answer, and decline proofs until it does', async () => {
    const away = await startRedis('--maxmemory-policy', 'noeviction')
    onTestFinished(() => away.stop())
    await away.kill()
    const server = await startServer((settings) => ({ ...settings, replay: { redis: [away.url] } }))
    onTestFinished(() => server.close())
    let later = 0
    const own = () => {
      const now = Math.floor(Date.now() / 1000) + later
      return signProof(key, { method: 'POST', url: `${server.issuer}/token`, now })
    }
    expect((await ask(server, own())).status).toBe(503)
    expect((await server.token()).status).toBe(200)
    await away.restart()
    const askLater = async () => {
      later += 11
      server.advance(11)
      return (await ask(server, own())).status
    }
    await expect.poll(askLater, { timeout: 20_000, interval: 200 }).toBe(200)
  })
})
