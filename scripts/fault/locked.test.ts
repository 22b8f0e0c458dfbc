import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { settings } from './families.ts'
import { createVictim } from './victim.ts'

/** Another program, which holds the database so many milliseconds. */
async function hold(file: string, milliseconds: number): Promise<void> {
  const script = `const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(${JSON.stringify(file)}, { timeout: 5000 })
    database.exec('begin immediate')
    console.log('held')
    setTimeout(() => database.exec('rollback'), ${milliseconds})`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
}

describe('[F06] a database that another program holds', () => {
  it('makes changes wait a quarter of a second and be refused together, and holds nothing else up', {
    timeout: 60_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-fault-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const victim = await createVictim(folder, settings)
    await victim.start()
    onTestFinished(() => victim.kill())
    const ask = async () => {
      const began = performance.now()
      const { status } = await victim.post('/token', {
        grant_type: 'client_credentials',
        client_id: 'machine',
        client_secret: 'secret',
      })
      return { status, took: performance.now() - began }
    }
    await Promise.all(Array.from({ length: 32 }, ask))
    await victim.metrics()

    await hold(victim.database, 2500)
    const until = performance.now() + 1200
    const answers = []
    while (performance.now() < until) {
      answers.push(ask())
      await pause(10)
    }
    const refused = await Promise.all(answers)
    const lag = (await victim.metrics()).get('nodejs_eventloop_lag_max_seconds')
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]))
    // Whoever comes while one waits is refused with that one, and so after half of that on average.
    const waits = refused.map(({ took }) => took).toSorted((one, other) => one - other)
    expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(300)
    expect(waits.at(-1)).toBeLessThan(1000)
    expect(lag).toBeGreaterThan(0)
    // Waiting on this thread would be a stall of 250 ms each time, one after the other.
    expect(lag).toBeLessThan(0.25)

    let answer = await ask()
    for (let tries = 0; tries < 40 && answer.status !== 200; tries++) answer = await ask()
    expect(answer.status).toBe(200)
  })
})
