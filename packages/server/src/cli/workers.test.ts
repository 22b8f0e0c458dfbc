import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'

it('a supervisor outlives a system that cannot start its workers, and tries again', async () => {
  const script = `
    import { superviseWorkers } from ${JSON.stringify(new URL('workers.ts', import.meta.url))}
    process.execPath = '/nowhere/node'
    let ended = 0
    await superviseWorkers(2, ({ event }) => {
      console.log(event)
      if (event === 'worker_ended' && ++ended === 3) process.kill(process.pid, 'SIGTERM')
    })`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout.split('\n').slice(0, 3)).toEqual(Array(3).fill('worker_ended'))
  expect(stdout).toContain('draining')
})

describe('a supervisor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-workers-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('ends though one of its workers hangs', async () => {
    const { stdout, code } = await supervise(
      `process.send('here'); process.on('SIGTERM', () => {})`,
      `cluster.on('message', ({ process: { pid } }) => {
        process.kill(pid, 'SIGSTOP')
        process.kill(process.pid, 'SIGTERM')
      })`,
    )
    expect(code).toBe(0)
    expect(stdout).toEqual(['draining', 'worker_killed'])
  })

  it.each([66, 78])('ends with the code of workers that cannot start: %d', async (unusable) => {
    expect(await supervise(`process.exit(${unusable})`)).toEqual({ stdout: [], code: unusable })
  })

  it.each([66, 78])('keeps those that serve when another one cannot start: %d', async (unusable) => {
    const { stdout, code } = await supervise(
      `if (cluster.worker.id === 1) createServer().listen(0, '127.0.0.1')
      else setTimeout(() => process.exit(${unusable}), 500)
      process.on('SIGTERM', () => process.exit())`,
      `cluster.once('exit', () => setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100))`,
    )
    expect(code).toBe(0)
    expect(stdout).toEqual(['worker_ended', 'draining'])
  })

  /** @returns what two workers that do this make their supervisor tell, and its exit code */
  async function supervise(work: string, beside = ''): Promise<{ readonly stdout: string[]; readonly code: unknown }> {
    const program = join(folder, 'program.mjs')
    writeFileSync(
      program,
      `import cluster from 'node:cluster'
      import { createServer } from 'node:net'
      import { isWorker, superviseWorkers } from ${JSON.stringify(new URL('workers.ts', import.meta.url))}
      if (isWorker()) { ${work} } else {
        ${beside}
        await superviseWorkers(2, ({ event }) => console.log(event), undefined, 500).catch(({ code }) => process.exit(code))
      }`,
    )
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    const lines = (await text(child.stdout)).split('\n').filter(Boolean)
    return { stdout: [...new Set(lines)], code: (await exited)[0] }
  }
})
