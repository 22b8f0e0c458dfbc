import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { requirePrograms } from '../../conformance/requires.ts'
import { settings } from './families.ts'
import { type Injected, type Injection, injectAt, mayTrace } from './system-calls.ts'
import { createVictim } from './victim.ts'
import { askDatabase } from './witnesses.ts'

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

requirePrograms('strace')('[F05] holdfast serve, whose disk fails once', () => {
  it.skipIf(!mayTrace)('acknowledges nothing more, and ends with 69 within a second', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const victim = await createVictim(folder, settings)
    await victim.start()
    await victim.stop()
    onTestFinished(() => victim.kill())
    const log = `${victim.database}-wal`
    await victim.start([
      ...['strace', '-D', '-f', '-qq', '-o', join(folder, 'trace'), '-P', log],
      ...['-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=4'],
    ])
    const ask = () =>
      victim
        .post('/token', { grant_type: 'client_credentials', client_id: 'machine', client_secret: 'secret' })
        .then(({ status, json }) => ({ status, token: String(json.access_token) }))
        .catch(() => ({ status: 0, token: '' }))
    const tokens: string[] = []
    let answer = await ask()
    for (; answer.status === 200; answer = await ask()) tokens.push(answer.token)
    const failed = performance.now()
    expect([503, 0]).toContain(answer.status)
    expect(await victim.ended()).toBe(69)
    expect(performance.now() - failed).toBeLessThan(1000)
    const database = askDatabase(victim.database)
    onTestFinished(database.close)
    for (const token of tokens) expect(await database.isThere(`token ${token}`)).toBe(true)
    expect(database.damage()).toEqual([])
  })
})

describe('strace', () => {
  it.skipIf(!mayTrace)('does nothing where the call never comes', { timeout: 60_000 }, async () => {
    const { hasFired, end } = await injectAt({ does: 'fail', at: 'pwrite64' }, 60_000)
    expect([hasFired, end.code]).toEqual([false, 0])
  })
})
