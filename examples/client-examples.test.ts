import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const cwd = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
const holdfast = resolve('packages/server/bin/holdfast.js')
let servers: ChildProcess
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  // Below the ports that the system gives to connections, and another one for each test process.
  const base = 20_000 + (process.pid % 2500) * 4
  servers = spawn(process.execPath, [holdfast, 'dev', '--json', '--port-base', String(base)], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(servers.stdout ?? servers, 'data')
  const { issuer, api } = JSON.parse(String(line))
  env = { ...process.env, ISSUER: issuer, API: api }
})

afterAll(async () => {
  if (servers.exitCode === null && servers.kill()) await once(servers, 'exit')
  rmSync(cwd, { recursive: true, force: true })
})

describe('examples of clients, against the development servers', () => {
  it('the code of docs/guides/call-an-api.md runs as it stands, but for the ports', async () => {
    const guide = readFileSync(resolve('docs/guides/call-an-api.md'), 'utf8')
    const code = /^```ts\n(.+?)^```$/ms.exec(guide)?.[1] ?? ''
    const moved = code
      .replace('https://localhost:5001', env.ISSUER ?? '')
      .replace('https://localhost:5003', env.API ?? '')
    symlinkSync(resolve('node_modules'), join(cwd, 'node_modules'))
    writeFileSync(join(cwd, 'call.ts'), moved)
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['call.ts'], { cwd })
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^200 \{/m), ''])
  })

  it.each(['client-on-the-fly', 'client-assertion', 'client-certificate', 'client-dpop'])(
    '%s is admitted by the API',
    async (name) => {
      const script = resolve(`examples/${name}.ts`)
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { cwd, env })
      expect([stdout, stderr]).toEqual([expect.stringMatching(/^200 \{/m), ''])
    },
  )
})
