import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const cwd = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
const holdfast = resolve('packages/server/bin/holdfast.js')
let servers: ChildProcess
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  const base = await freePort()
  servers = spawn(process.execPath, [holdfast, 'dev', '--json', '--port-base', String(base)], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(servers.stdout ?? servers, 'data')
  const { issuer, api } = JSON.parse(String(line))
  env = { ...process.env, ISSUER: issuer, API: api }
})

afterAll(async () => {
  const exit = once(servers, 'exit')
  servers.kill()
  await exit
  rmSync(cwd, { recursive: true, force: true })
})

describe('examples of clients, against the development servers', () => {
  it.each(['client-on-the-fly', 'client-assertion', 'client-certificate'])(
    '%s is admitted by the API',
    async (name) => {
      const script = resolve(`examples/${name}.ts`)
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { cwd, env })
      expect([stdout, stderr]).toEqual([expect.stringMatching(/^200 \{/m), ''])
    },
  )
})

/** The first of four ports of which this one was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return Math.min(port, 65_000)
}
