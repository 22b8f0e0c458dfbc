import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startRedis } from '../../../../conformance/redis-server.ts'
import { requirePrograms } from '../../../../conformance/requires.ts'
import type { Report } from '../ports/report.ts'
import { openRedisReplay } from './redis-replay.ts'

requirePrograms('redis-server')('used proofs in a Redis that would forget some', () => {
  it('are declined from the next connection on, and taken again soon after it is well', async () => {
    const server = await startRedis('--maxmemory-policy', 'noeviction')
    onTestFinished(() => server.stop())
    const operator = new Redis(server.url)
    onTestFinished(() => operator.disconnect())
    const memory = await openRedisReplay([server.url], false, { now: () => 0, report: () => {} })
    onTestFinished(() => memory.close())
    let uses = 0
    const use = async (): Promise<string> => {
      try {
        return String(await memory.use({ key: `use ${uses++}`, made: 90, expires: 150 }, 90))
      } catch (cause) {
        return String(cause)
      }
    }
    expect(await use()).toBe('true')
    await operator.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await expect.poll(use).toContain('allkeys-lru')
    await operator.config('SET', 'maxmemory-policy', 'noeviction')
    await expect.poll(use, { timeout: 5000 }).toBe('true')
  })
})

describe('a password of Redis that is not encoded', () => {
  it.each([
    ['one server', false],
    ['a cluster', true],
  ])('is said without the password: %s', async (_, isCluster) => {
    const opened = openRedisReplay(['redis://:top%secret@127.0.0.1:1'], isCluster, { now: () => 0, report: () => {} })
    await expect(opened).rejects.toMatchObject({ name: 'SettingsError', message: expect.stringContaining('%25') })
    await expect(opened).rejects.not.toThrow(/secret/)
  })
})

requirePrograms('redis-server')('used proofs in a Redis that does not let us in', () => {
  it.each([
    ['one server', false],
    ['a cluster', true],
  ])('are declined, and no report of %s holds the password', async (_, isCluster) => {
    const server = await startRedis('--requirepass', 'another')
    onTestFinished(() => server.stop())
    const reports: Report[] = []
    const address = server.url.replace('//', '//:top-secret@')
    const memory = await openRedisReplay([address], isCluster, { now: () => 0, report: (each) => reports.push(each) })
    onTestFinished(() => memory.close())
    await expect(memory.use({ key: 'any', made: 0, expires: 60 }, 0)).rejects.not.toThrow(/top-secret/)
    expect(inspect(reports, { depth: 9 })).toContain('replay_unavailable')
    expect(inspect(reports, { depth: 9 })).not.toContain('top-secret')
  })
})
