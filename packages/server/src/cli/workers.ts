import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { openOperations } from '../adapters.ts'
import type { Report } from '../ports/report.ts'
import type { Settings } from '../settings.ts'
import { Failure } from './exit.ts'
import { untilStopped } from './stopped.ts'
import { askWorkers } from './worker-probes.ts'

/** So soon after its start a worker that ends does so again: wait before the next, in milliseconds. */
const pause = 1000

/** So long a worker may take to drain, in milliseconds: its supervisor would wait for ever for one that hangs. */
const longestDrain = 15_000

/** Worker processes that end so at the start cannot do otherwise: a file, the database or the settings are wrong. */
const unusable = [66, 78] as const

/** Says whether this process is one of the workers of {@link superviseWorkers}. */
export function isWorker(): boolean {
  return cluster.isWorker
}

/** Lets a worker end that has nothing more to do: the line to its supervisor keeps it alive. No effect in any other process. */
export function leaveWorkers(): void {
  cluster.worker?.disconnect()
}

/**
 * Runs this command in several processes that share its ports, until a signal comes: then all of them drain. One that
 * ends by itself is replaced, also by one that finds other settings than those that serve. Where there is a listener for operations it is here, and answers for all of them.
 * @throws {@link Failure} when the settings cannot be used
 */
export async function superviseWorkers(
  count: number,
  log: (report: Report) => void,
  settings?: Settings['operations'],
  drain: number = longestDrain,
): Promise<void> {
  // Figures hold numbers that JSON has no words for.
  cluster.setupPrimary({ serialization: 'advanced' })
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  let stopping = false
  let hasServed = false
  const serving = (): void => {
    hasServed = true
  }
  const replace = (lost: Pick<Report, 'seen' | 'cause'>): void => {
    log({ level: 'error', event: 'worker_ended', ...lost })
    setTimeout(() => stopping || begin(), pause)
  }
  const begin = (): void => {
    try {
      const worker = cluster.fork()
      // One that the system cannot start has no pid, and never ends.
      worker.on('error', (cause) => worker.process.pid ?? replace({ cause }))
    } catch (cause) {
      replace({ cause })
    }
  }
  const ended = ({ process: { pid } }: Worker, code: number | null) => {
    if (stopping) return
    const never = hasServed ? undefined : unusable.find((each) => each === code)
    if (never) return reject(new Failure(never, 'The workers cannot start: they have said why.'))
    replace({ seen: `pid ${pid}, code ${code}` })
  }
  const stopped = untilStopped()
  const operations = await openOperations(
    settings,
    askWorkers(count, () => stopping),
  )
  await operations?.listen()
  cluster.on('exit', ended).on('listening', serving)
  for (let started = 0; started < count; started++) begin()
  try {
    const signal = await Promise.race([stopped, failed])
    log({ level: 'info', event: 'draining', seen: `${signal}, ${count} workers` })
  } finally {
    stopping = true
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    await Promise.all(workers.filter((worker) => !worker.isDead()).map((worker) => end(worker, drain, log)))
    cluster.off('exit', ended).off('listening', serving)
    await operations?.close()
  }
}

async function end(worker: Worker, drain: number, log: (report: Report) => void): Promise<void> {
  const exited = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const late = setTimeout(() => {
    log({ level: 'error', event: 'worker_killed', seen: `pid ${worker.process.pid}` })
    worker.process.kill('SIGKILL')
  }, drain)
  await exited
  clearTimeout(late)
}
