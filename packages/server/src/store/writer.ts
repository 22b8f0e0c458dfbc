import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Report } from '../ports/report.ts'
import { type Store, StoreUnavailable } from '../ports/store.ts'
import type { Call, GroupOutcome, Outcome } from './group.ts'
import { StoreUnusable } from './unusable.ts'
import type { ChangeData, ChangeName } from './verbs.ts'
import type { Message, Order } from './worker.ts'

interface Waiting extends Call {
  readonly resolve: (answer: unknown) => void
  readonly reject: (cause: Error) => void
}

const largestGroup = 256

/**
 * The one who changes the database: a worker thread. Changes that wait while it works go to it together, and are
 * answered when their common COMMIT is on the disk.
 */
export class Writer {
  readonly #worker: Worker
  /** Resolves when the worker has ended and let go of the database. */
  readonly exited: Promise<void>
  readonly #report: (report: Report) => void
  readonly #limit: number
  readonly #waiting: Waiting[] = []
  #running: readonly Waiting[] = []
  #ended: StoreUnavailable | undefined
  #idle: (() => void) | undefined

  private constructor(worker: Worker, report: (report: Report) => void, limit: number) {
    this.#worker = worker
    this.#report = report
    this.#limit = limit
    worker.on('message', (message: Message) => {
      if ('group' in message) this.#settle(message.group)
    })
    worker.on('error', (cause) => this.#fail(String(cause)))
    worker.on('exit', () => this.#fail('the thread that writes has ended'))
    this.exited = exitOf(worker)
  }

  /**
   * Starts the worker, which opens and migrates the database.
   * @param limit how many changes may wait
   * @throws {@link StoreUnusable}
   */
  static async open(file: string, report: (report: Report) => void, limit: number): Promise<Writer> {
    const entry = new URL(import.meta.resolve('holdfast/store-worker'))
    const worker = new Worker(entry, { workerData: file, execArgv: [] })
    const [message]: Message[] = await once(worker, 'message')
    if (message && 'unusable' in message) {
      await worker.terminate()
      throw new StoreUnusable(message.unusable)
    }
    return new Writer(worker, report, limit)
  }

  /** Set when the database can no longer be used. */
  get ended(): StoreUnavailable | undefined {
    return this.#ended
  }

  /** Makes a change. @throws {@link StoreUnavailable} */
  run<Name extends ChangeName>(verb: Name, data: ChangeData<Name>): ReturnType<Store[Name]>
  run(verb: ChangeName, data: unknown): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended)
    if (this.#waiting.length >= this.#limit)
      return Promise.reject(new StoreUnavailable(`${this.#limit} changes wait for the database already.`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ verb, data, resolve, reject })
      // Not before every request that has arrived was read: the more go together, the less each one's COMMIT costs.
      if (this.#running.length === 0 && this.#waiting.length === 1) setImmediate(() => this.#send())
    })
  }

  /** Refuses further changes, waits for those that were accepted, and closes the database. */
  async close(): Promise<void> {
    if (!this.#ended) {
      this.#ended = new StoreUnavailable('The store is closed.')
      await this.#drained()
      this.#order({ close: true })
    }
    await this.exited
  }

  async #drained(): Promise<void> {
    if (this.#running.length + this.#waiting.length === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  #send(): void {
    if (this.#running.length > 0) return
    this.#running = this.#waiting.splice(0, largestGroup)
    if (this.#running.length === 0) this.#idle?.()
    else this.#order({ calls: this.#running.map(({ verb, data }) => ({ verb, data })) })
  }

  #order(order: Order): void {
    this.#worker.postMessage(order)
  }

  #settle(group: GroupOutcome): void {
    const settled = this.#running
    if ('failure' in group && group.fatal) {
      this.#fail(group.failure)
      return
    }
    this.#running = []
    if ('failure' in group) {
      this.#report({ level: 'warn', event: 'store_refused_changes', cause: group.failure })
      for (const { reject } of settled) reject(new StoreUnavailable(`The database refuses changes: ${group.failure}`))
    } else {
      for (const [index, waiting] of settled.entries()) answer(waiting, group.outcomes[index])
    }
    this.#send()
  }

  #fail(cause: string): void {
    const left = [...this.#running, ...this.#waiting.splice(0)]
    this.#running = []
    if (this.#ended && left.length === 0) return
    this.#ended = new StoreUnavailable(`The database has failed: ${cause}`)
    this.#report({ level: 'error', event: 'store_failed', cause })
    for (const { reject } of left) reject(this.#ended)
    this.#idle?.()
    void this.#worker.terminate()
  }
}

function answer({ resolve, reject, verb }: Waiting, outcome: Outcome | undefined): void {
  if (outcome && 'answer' in outcome) resolve(outcome.answer)
  else reject(new Error(`The change ${verb} failed: ${outcome?.error ?? 'it was not answered'}`))
}

function exitOf(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve())
  })
}
