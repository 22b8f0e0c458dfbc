import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastingPort } from './lasting-port.ts'

/** For tests: a Redis server of one's own, on a free loopback port. What it holds is gone with it. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Starts it again on the same port: empty. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** For tests: starts a server. It ends with this process, whatever happens to it. */
export async function startRedis(...options: readonly string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'))
  const port = await lastingPort()
  const start = async (): Promise<ChildProcess> => {
    const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...options]
    const [command = '', ...parameters] = bound(['redis-server', '--port', String(port), ...settings])
    const started = spawn(command, parameters, { stdio: 'ignore', cwd: folder })
    await untilReached(port)
    return started
  }
  let child = await start()
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    signal: (signal) => void child.kill(signal),
    async restart() {
      await kill()
      rmSync(join(folder, 'nodes.conf'), { force: true })
      child = await start()
    },
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** For tests: a cluster of three masters. */
export async function startRedisCluster(): Promise<readonly RedisServer[]> {
  const options = ['--cluster-enabled', 'yes', '--maxmemory-policy', 'noeviction']
  const nodes = [await startRedis(...options), await startRedis(...options), await startRedis(...options)]
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { stdio: 'ignore' })
  for (let tries = 0; tries < 100; tries++) {
    const states = nodes.map(({ port }) =>
      execFileSync('redis-cli', ['-p', String(port), 'cluster', 'info'], { encoding: 'utf8' }),
    )
    if (states.every((state) => state.includes('cluster_state:ok'))) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return nodes
}

/** Where the system can, a server ends with the process that started it. */
function bound(command: readonly string[]): readonly string[] {
  try {
    accessSync('/usr/bin/setpriv', constants.X_OK)
    return ['/usr/bin/setpriv', '--pdeathsig', 'KILL', ...command]
  } catch {
    return command
  }
}

async function untilReached(port: number): Promise<void> {
  for (let tries = 0; !(await isReached(port)); tries++) {
    if (tries === 200) throw new Error(`Nothing listens on port ${port}.`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

function isReached(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
