import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { AtEnd } from './temporary-store.fixture.ts'

/** For tests: a Node process that runs a script, and the lines that it prints. */
export interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  /** The next line, or undefined when there is no further one. */
  line(): Promise<string | undefined>
  /** All lines from now to the end. */
  lines(): Promise<readonly string[]>
  /** Kills the process as a power cut would, and waits until it is gone. */
  kill(): Promise<void>
}

/** For tests: runs a module in a process of its own, killed at the end of the test. `wrapper` runs it, such as a tracer. */
export function runInChild(atEnd: AtEnd, script: string, wrapper: readonly string[] = []): Child {
  const [command = process.execPath, ...rest] = [...wrapper, process.execPath, '--input-type=module', '--eval', script]
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  const printed = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await exited
  }

  async function line(): Promise<string | undefined> {
    const { done, value } = await printed.next()
    return done ? undefined : value
  }

  async function lines(): Promise<readonly string[]> {
    const all: string[] = []
    for (let next = await line(); next !== undefined; next = await line()) all.push(next)
    return all
  }

  atEnd(kill)
  return { process: child, line, lines, kill }
}
