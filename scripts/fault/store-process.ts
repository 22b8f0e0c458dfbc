import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Operation } from '../../packages/server/src/store/history.fixture.ts'
import type { Flaw } from './flaws.ts'

/** How a process with a store is run. */
export interface StoreRun {
  readonly file: string
  /** What the keys of its history begin with. */
  readonly name: string
  readonly milliseconds: number
  readonly flaw?: Flaw
  /** What runs it, such as a tracer. */
  readonly wrapper?: readonly string[]
  /** After so many lines it is killed. */
  readonly killAfter?: number
}

/** What came of it. */
export interface StoreEnd {
  /** What it had acknowledged. What it had not is not known. */
  readonly operations: readonly Operation[]
  readonly isReady: boolean
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Milliseconds from the report that the database has failed to the end of the process. */
  readonly afterFailure?: number
}

const program = fileURLToPath(new URL('./store-program.ts', import.meta.url))

/** Runs a process with a store to its end. */
export async function runStore(run: StoreRun): Promise<StoreEnd> {
  const { file, name, milliseconds, flaw, wrapper = [], killAfter = Number.POSITIVE_INFINITY } = run
  const command = [...wrapper, process.execPath, program, file, name, String(milliseconds), ...(flaw ? [flaw] : [])]
  const [first = '', ...rest] = command
  const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  const operations: Operation[] = []
  let isReady = false
  let failed: number | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') isReady = true
    else if (line === 'store_failed') failed = performance.now()
    else if (line.endsWith('}')) operations.push(JSON.parse(line))
    if (operations.length >= killAfter) child.kill('SIGKILL')
  }
  const [code, signal] = await exited
  const ended = performance.now()
  return { operations, isReady, code, signal, ...(failed !== undefined && { afterFailure: ended - failed }) }
}
