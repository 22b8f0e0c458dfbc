import cluster, { type Worker } from 'node:cluster'
import type { Figures } from '../http/operations/metrics.ts'
import type { Probes, Readiness } from '../http/operations/probes.ts'

/** What the supervisor asks a worker. */
interface Question {
  readonly holdfast: 'question'
  readonly number: number
  readonly about: keyof Probes
}

/** What it says. */
interface Answer {
  readonly holdfast: 'answer'
  readonly number: number
  readonly readiness?: Readiness
  readonly figures?: readonly Figures[]
}

/** A worker that has not answered by then is left out, in milliseconds. */
const patience = 2500

/** Answers the supervisor of this process for it. */
export function answerSupervisor(probes: Probes): void {
  process.on('message', (message) => {
    if (!isAbout(message, 'question')) return
    const { number, about } = message
    const answer = (said?: unknown) => {
      const message: object = { holdfast: 'answer', number, [about]: said }
      if (process.connected) process.send?.(message, () => {})
    }
    // One that cannot say it goes on serving.
    probes[about]().then(answer, () => answer())
  })
}

/**
 * Asks the workers of this process. Together they are ready when one of them is; what they have counted does not go when
 * one ends, but for what it has counted since somebody asked last.
 * @param count how many there should be
 * @param isStopping says whether they are being ended
 */
export function askWorkers(count: number, isStopping: () => boolean): Probes {
  const last = new Map<number, Figures>()
  let inheritance: Promise<Figures> = Promise.resolve([])
  let hasServed = false
  let questions = 0

  cluster.on('exit', ({ id }: Worker) => {
    const left = last.get(id)
    last.delete(id)
    if (left) inheritance = inheritance.then((before) => bequeathed([before, left]))
  })

  async function ask(worker: Worker, about: keyof Probes): Promise<Answer | undefined> {
    const number = questions++
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    const hear = (message: unknown) => {
      if (isAbout(message, 'answer') && message.number === number) resolve(message)
    }
    const giveUp = () => resolve(undefined)
    const late = setTimeout(giveUp, patience)
    worker.on('message', hear).once('exit', giveUp)
    const question: Question = { holdfast: 'question', number, about }
    worker.send(question, (failed) => failed && giveUp())
    const answer = await promise
    clearTimeout(late)
    worker.off('message', hear).off('exit', giveUp)
    return answer
  }

  const workers = () => Object.values(cluster.workers ?? {}).filter((each) => each?.isConnected() === true) as Worker[]

  return {
    async readiness() {
      const answers = await Promise.all(workers().map((each) => ask(each, 'readiness')))
      const said = answers.flatMap((answer) => answer?.readiness ?? [])
      const ready = said.filter((each) => each.ready).length
      hasServed ||= said.some(({ stage }) => stage !== 'starting')
      const stage = isStopping() ? 'draining' : hasServed ? 'serving' : 'starting'
      const needs = Object.assign({}, ...said.map((each) => each.needs))
      return { ready: ready > 0 && stage === 'serving', stage, needs: { workers: { ready, of: count }, ...needs } }
    },
    async figures() {
      const asked = workers()
      const answers = await Promise.all(asked.map((each) => ask(each, 'figures')))
      for (const [index, worker] of asked.entries()) {
        const [figures] = answers[index]?.figures ?? []
        if (figures && !worker.isDead()) last.set(worker.id, figures)
      }
      const answering = answers.filter((answer) => answer !== undefined).length
      return [await inheritance, ...last.values(), [workersFigure(answering)]]
    },
  }
}

async function bequeathed(processes: readonly Figures[]): Promise<Figures> {
  const { bequeath } = await import('../http/operations/metrics.ts')
  return await bequeath(processes)
}

function workersFigure(value: number): Figures[number] {
  const figure = {
    name: 'holdfast_workers',
    help: 'Worker processes that answer.',
    type: 'gauge',
    aggregator: 'sum',
    values: [{ value, labels: {} }],
  }
  return figure
}

function isAbout(message: unknown, kind: 'question'): message is Question
function isAbout(message: unknown, kind: 'answer'): message is Answer
function isAbout(message: unknown, kind: string): boolean {
  return typeof message === 'object' && message !== null && 'holdfast' in message && message.holdfast === kind
}
