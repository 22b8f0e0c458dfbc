import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createDoor } from 'node:net'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { main } from './main.ts'
import type { Terminal } from './terminal.ts'

const program = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url))

/** Starts the command line as a process of its own. */
export function start(directory: string, ...args: string[]): ChildProcess {
  const { NODE_OPTIONS, HOLDFAST_CLIENT_SECRET, npm_execpath, ...env } = process.env
  return spawn(process.execPath, [program, ...args], { cwd: directory, env: { ...env, COLUMNS: '80' } })
}

/** Runs a command in this process, in a folder. */
export async function holdfast(directory: string, ...args: string[]) {
  process.chdir(directory)
  const collected = { out: '', err: '' }
  const plain = (text: string) => text
  const terminal: Terminal = {
    columns: 80,
    out: (text) => {
      collected.out += `${text}\n`
    },
    note: (text) => {
      collected.err += `${text}\n`
    },
    input: async () => '',
    style: { good: plain, bad: plain, dim: plain, strong: plain },
  }
  return { code: await main(args, terminal), ...collected }
}

/** Waits until a process has printed a text, so many times. */
export async function untilPrints(child: ChildProcess, text: string, times = 1): Promise<void> {
  let seen = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      seen += more
      if (seen.split(text).length > times) resolve()
    })
    child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      seen += more
    })
    child.once('exit', (code) => reject(new Error(`exited ${code}: ${seen}`)))
  })
}

/** Ends a process as an operator does. @returns its exit code */
export async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = await exited
  return code
}

/** Where a port of localhost is reached. */
export function origin(port: number): string {
  return `https://localhost:${port}`
}

/** A number after which four ports are free. */
export async function freeBase(): Promise<number> {
  for (let base = 20_000 + ((process.pid * 10) % 12_000); ; base += 10) {
    const taken = await Promise.all([1, 2, 3, 4].map((offset) => isTaken(base + offset)))
    if (!taken.includes(true)) return base
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const door = createDoor()
    door.once('error', () => resolve(true))
    door.listen(port, () => door.close(() => resolve(false)))
  })
}
