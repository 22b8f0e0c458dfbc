import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

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
