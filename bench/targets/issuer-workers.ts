import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { settingsOf } from '../settings.ts'
import { materials, serve, type Usage } from '../target.ts'

const given = materials()
const file = join(given.directory, 'settings.json')
writeFileSync(file, JSON.stringify(settingsOf(given)), { mode: 0o600 })
const command = new URL('../../packages/server/bin/holdfast.js', import.meta.url).pathname
const args = [command, 'serve', '--config', file, '--workers', String(given.workers ?? 1)]

/** The command as people run it. */
const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
await allListen()
serve({
  usage,
  stop() {
    child.kill('SIGTERM')
    void once(child, 'exit').then(() => process.exit(0))
  },
})

/** What they write is read to its end, or they would wait for it. */
function allListen(): Promise<void> {
  let left = given.workers ?? 1
  return new Promise((resolve) => {
    child.stdout.on('data', (text: Buffer) => {
      left -= String(text).split('"listening"').length - 1
      if (left <= 0) resolve()
    })
  })
}

/** Of the command and what it started. */
function usage(): Usage {
  const started = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
  const all = [child.pid, ...started].map((pid) => usageOf(Number(pid)))
  return { cpu: all.reduce((sum, { cpu }) => sum + cpu, 0), memory: all.reduce((sum, { memory }) => sum + memory, 0) }
}

/** In hundredths of a second and in pages, as Linux counts. */
function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, memory: Number(fields[21]) * 4096 }
}
