import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, chmodSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { Client } from 'pg'
import { lastingPort } from './lasting-port.ts'

/** For tests: a PostgreSQL server of one's own, on a free loopback port, with data that is thrown away. */
export interface PostgresServer {
  /** Of a new, empty database. */
  createDatabase(): Promise<string>
  readonly port: number
  readonly process: ChildProcess
  /** Ends it as a power cut would, and waits until it is gone. */
  kill(): Promise<void>
  /** Stops all of its processes where they stand, or lets them go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Stops it, at once where it is told so by `SIGQUIT`, and starts it again on the same data and port. */
  restart(stop?: 'SIGINT' | 'SIGQUIT'): Promise<void>
  stop(): Promise<void>
}

/** For tests: the folder of PostgreSQL's programs, in the PATH or where Debian puts them. */
export function findPostgres(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = isThere(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const places = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
  ]
  return places.find((folder) => ['initdb', 'postgres'].every((program) => isThere(join(folder, program))))
}

/** For tests: starts a server. It ends with this process, whatever happens to it. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = findPostgres()
  if (programs === undefined) throw new Error('There is no PostgreSQL here.')
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'))
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  const port = await lastingPort()
  if (isRoot()) execFileSync('chown', ['-R', '65534:65534', folder])
  run([join(programs, 'initdb'), '-D', data, '-U', 'holdfast', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'])

  const start = async (): Promise<ChildProcess> => {
    const [command = '', ...parameters] = unprivileged([
      join(programs, 'postgres'),
      ...['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-c', 'max_connections=200'],
      // Where it is killed, nothing of it stays outside its folder.
      ...['-c', 'dynamic_shared_memory_type=mmap'],
    ])
    const started = spawn(command, parameters, { stdio: 'ignore', cwd: folder })
    await untilReady(port)
    return started
  }
  let child = await start()

  const end = async (signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  return {
    port,
    get process() {
      return child
    },
    createDatabase: () => createPostgresDatabase(port),
    async kill() {
      const family = familyOf(child.pid ?? 0)
      for (const pid of family) sendTo(pid, 'SIGKILL')
      await end('SIGKILL')
      await untilGone(family)
    },
    signal(signal) {
      for (const pid of familyOf(child.pid ?? 0)) sendTo(pid, signal)
    },
    async restart(stop = 'SIGINT') {
      await end(stop)
      child = await start()
    },
    async stop() {
      await end('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** For tests: makes an empty database in a server, and gives its address. */
export async function createPostgresDatabase(port: number): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`
  await query(port, `create database ${name}`)
  return `postgres://holdfast@127.0.0.1:${port}/${name}`
}

/** Those that a server has started hold its memory until they are gone, and no other can take its place before. */
async function untilGone(family: readonly number[]): Promise<void> {
  for (let tries = 0; tries < 300 && family.some((pid) => sendTo(pid, 0)); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** @returns false when there is no such process any more */
function sendTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** A process and those that it has started. */
function familyOf(pid: number): readonly number[] {
  const children = execFileSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' })
  return [pid, ...children.split(/\s+/).filter(Boolean).map(Number)]
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** PostgreSQL runs for nobody who is root; and where the system can, it ends with the process that started it. */
function unprivileged(command: readonly string[]): readonly string[] {
  if (!isThere('/usr/bin/setpriv')) return command
  const as = isRoot() ? ['--reuid=65534', '--regid=65534', '--clear-groups'] : []
  return ['/usr/bin/setpriv', '--pdeathsig', 'INT', ...as, ...command]
}

function run(command: readonly string[]): void {
  const [program = '', ...parameters] = unprivileged(command)
  execFileSync(program, parameters, { stdio: 'ignore', cwd: tmpdir() })
}

async function untilReady(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await query(port, 'select 1')
      return
    } catch (cause) {
      if (tries === 200) throw cause
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function query(port: number, text: string): Promise<void> {
  const client = new Client({ host: '127.0.0.1', port, user: 'holdfast', database: 'postgres' })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(text)
  } finally {
    await client.end().catch(() => {})
  }
}
