import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'

/** The development servers, in a process and a folder of their own. */
export interface Development {
  readonly issuer: string
  readonly api: string
  readonly web: string
  /** The sample browser application. */
  readonly application: string
  /** PEM of the CA of the servers' certificates. */
  readonly ca: string
  close(): Promise<void>
}

const program = resolve('packages/server/bin/holdfast.js')

/** So that each process of a test run, and each start in it, has ports of its own. */
let starts = 0

/** Starts them, with flags of `holdfast dev`. */
export async function startDevelopment(...flags: readonly string[]): Promise<Development> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-browser-'))
  const base = 20_000 + ((process.pid + 1200 * starts++) % 2400) * 4
  const { NODE_OPTIONS, ...env } = process.env
  const child = spawn(process.execPath, [program, 'dev', '--json', '--port-base', String(base), ...flags], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = await once(child.stdout, 'data')
  const { issuer, api, web } = JSON.parse(String(line))
  return {
    issuer,
    api,
    web,
    application: `${web}/browser/`,
    ca: readFileSync(join(directory, '.holdfast', 'tls', 'ca.pem'), 'utf8'),
    async close() {
      if (child.exitCode === null && child.kill()) await once(child, 'exit')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
