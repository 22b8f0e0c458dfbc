import { inspect } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { startRedis } from '../../../../conformance/redis-server.ts'
import { requirePrograms } from '../../../../conformance/requires.ts'
import type { Report } from '../ports/report.ts'
import { openRedisReplay } from './redis-replay.ts'

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
