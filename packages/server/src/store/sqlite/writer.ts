import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Report } from '../../ports/report.ts'
import { type Store, StoreUnavailable } from '../../ports/store.ts'
import { StoreUnusable } from '../unusable.ts'
import type { ChangeData, ChangeName } from '../verbs.ts'
import type { Call, GroupOutcome, Outcome } from './group.ts'
import type { Message, Order, Start } from './worker.ts'

interface Waiting extends Call {
  readonly resolve: (answer: unknown) => void
  readonly reject: (cause: Error) => void
}

const largestGroup = 256

/** The same trouble is reported no more often, in milliseconds. */
const reportInterval = 10_000

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
  readonly #told = new Map<string, number>()

  private constructor(worker: Worker, report: (report: Report) => void, limit: number) {
    this.#worker = worker
    this.#report = report
    this.#limit = limit
    worker.on('message', (message: Message) => {
      if ('group' in message) this.#settle(message.group)
      else if ('hasRoom' in message) this.#tellRoom(message.hasRoom)
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
  static async open(start: Start, report: (report: Report) => void, limit: number): Promise<Writer> {
    const entry = new URL(import.meta.resolve('holdfast/store-worker'))
    const worker = new Worker(entry, { workerData: start, execArgv: [] })
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
    if ('failure' in group && group.kind === 'fatal') {
      this.#fail(group.failure)
      return
    }
    const settled = this.#running
    this.#running = []
    if ('failure' in group) {
      // Those who came meanwhile do not wait for the same lock again, behind each other.
      if (group.kind === 'locked') this.#refuse([...settled, ...this.#waiting.splice(0)], group.failure)
      else this.#refuse(settled, group.failure)
    } else {
      for (const [index, waiting] of settled.entries()) this.#answer(waiting, group.outcomes[index])
    }
    this.#send()
  }

  #answer(waiting: Waiting, outcome: Outcome | undefined): void {
    const { resolve, reject, verb } = waiting
    if (outcome && 'answer' in outcome) resolve(outcome.answer)
    else if (outcome && 'refused' in outcome) this.#refuse([waiting], outcome.refused)
    else reject(new Error(`The change ${verb} failed: ${outcome?.error ?? 'it was not answered'}`))
  }

  #refuse(refused: readonly Waiting[], cause: string): void {
    this.#tellRarely({ level: 'warn', event: 'store_refused_changes', cause })
    for (const { reject } of refused) reject(new StoreUnavailable(`The database refuses changes: ${cause}`))
  }

  #tellRoom(hasRoom: boolean): void {
    if (hasRoom) this.#report({ level: 'info', event: 'store_has_room' })
    else this.#tellRarely({ level: 'error', event: 'store_full' })
  }

  #tellRarely(report: Report): void {
    const now = performance.now()
    if (now - (this.#told.get(report.event) ?? Number.NEGATIVE_INFINITY) < reportInterval) return
    this.#told.set(report.event, now)
    this.#report(report)
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

function exitOf(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve())
  })
}
