import { describe, expect, it } from 'vitest'
import { requirePrograms } from '../../conformance/requires.ts'
import { type Injected, type Injection, injectAt, mayTrace } from './system-calls.ts'

/** Each of these calls, two at a time. */
async function injectAll(injection: Injection, calls: readonly number[]): Promise<readonly Injected[]> {
  const done: Injected[] = []
  const left = [...calls]
  const work = async (): Promise<void> => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) done.push(await injectAt(injection, n))
  }
  await Promise.all([work(), work()])
  return done
}

const few = [1, 2, 3, 5, 9, 14]

requirePrograms('strace')('[F03] a process that is killed at a system call', () => {
  it.skipIf(!mayTrace).each([
    ['before it writes', 'pwrite64'],
    ['before the disk has it', 'fsync'],
    ['between COMMIT and the answer', 'write'],
  ] as const)('%s has broken nothing', { timeout: 240_000 }, async (_, at) => {
    const injected = await injectAll({ does: 'kill', at }, few)
    expect(injected.flatMap(({ violations }) => violations)).toEqual([])
    expect(injected.filter(({ end }) => end.signal === 'SIGKILL').length).toBeGreaterThan(few.length / 2)
  })
})

requirePrograms('strace')('[F05] a disk that fails once', () => {
  it.skipIf(!mayTrace).each([
    ['in a write', 'pwrite64'],
    ['when it synchronises', 'fsync'],
    ['in a read', 'pread64'],
  ] as const)('%s ends the process within a second, and nothing is broken', { timeout: 240_000 }, async (_, at) => {
    const injected = await injectAll({ does: 'fail', at }, few)
    expect(injected.flatMap(({ violations }) => violations)).toEqual([])
    expect(injected.filter(({ hasFired }) => hasFired).length).toBeGreaterThan(2)
  })
})

describe('strace', () => {
  it.skipIf(!mayTrace)('does nothing where the call never comes', { timeout: 60_000 }, async () => {
    const { hasFired, end } = await injectAt({ does: 'fail', at: 'pwrite64' }, 60_000)
    expect([hasFired, end.code]).toEqual([false, 0])
  })
})
