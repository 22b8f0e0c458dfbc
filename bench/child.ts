import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import process from 'node:process'

/** A program of the benchmark in a process and, where there are two cores, on a core of its own. */
export interface Child {
  ask<Answer>(question: object): Promise<Answer>
  stop(): Promise<void>
}

/** Starts a program and waits until it is ready. @param core on which it stays; it may move when left out */
export async function start(
  program: string,
  args: readonly string[],
  { core, ca, flags = [] }: { core: number | undefined; ca: string; flags?: readonly string[] },
): Promise<Child> {
  const command = [process.execPath, ...flags, new URL(program, import.meta.url).pathname, ...args]
  const pinned =
    core !== undefined && cpus().length > 1 && process.platform === 'linux'
      ? ['taskset', '-c', String(core), ...command]
      : command
  const [file = '', ...rest] = pinned
  const child = spawn(file, rest, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', NODE_EXTRA_CA_CERTS: ca },
  })
  await message(child, program)
  return {
    async ask<Answer>(question: object) {
      const answer = message(child, program)
      child.send(question)
      return (await answer) as Answer
    },
    async stop() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

async function message(child: ChildProcess, program: string): Promise<unknown> {
  const ended = new AbortController()
  const exit = (code: number | null) => ended.abort(new Error(`${program} ended with ${code}`))
  child.once('exit', exit)
  try {
    const [answer] = await once(child, 'message', { signal: ended.signal })
    return answer
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    child.off('exit', exit)
  }
}
