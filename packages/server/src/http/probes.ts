import { randomUUID } from 'node:crypto'
import type { Awaitable } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Figures } from './metrics.ts'

/** How far a server has come. */
export type Stage = 'starting' | 'serving' | 'draining'

/** What is said to those who ask whether a server can be used. */
export interface Readiness {
  readonly ready: boolean
  readonly stage: Stage
  /** By its name: whether something that it needs is there. */
  readonly needs: Readonly<Record<string, unknown>>
}

/** What a server says of itself: one process, or several that serve together. */
export interface Probes {
  readonly readiness: () => Promise<Readiness>
  /** Of each process. */
  readonly figures: () => Promise<readonly Figures[]>
}

/** The probes of this process, and the stages that it goes through. */
export interface OwnProbes extends Probes {
  readonly enter: (stage: Stage) => void
}

/** Says whether something that the server needs is there. Rejects when it is not. */
export type Check = () => Awaitable<unknown>

/** A check that takes longer has failed, in milliseconds. */
const patience = 2000

/**
 * Creates the probes of this process.
 * @param checks what it needs to be ready, by the name that the answer gives it
 */
export function createProbes(checks: Readonly<Record<string, Check>>, figures: () => Promise<Figures>): OwnProbes {
  let stage: Stage = 'starting'
  return {
    enter(next) {
      stage = next
    },
    async readiness() {
      const names = Object.keys(checks)
      const outcomes = await Promise.all(Object.values(checks).map(holds))
      const needs = Object.fromEntries(names.map((name, index) => [name, outcomes[index] ? 'there' : 'away']))
      return { ready: stage === 'serving' && !outcomes.includes(false), stage, needs }
    },
    figures: async () => [await figures()],
  }
}

/** What a server needs to be ready. */
export function checksOf({ store, replay, now }: Context): Readonly<Record<string, Check>> {
  return {
    store: () => store.listSigningKeys(),
    ...(replay && { replay: () => replay.use({ key: randomUUID(), made: now() + 1, expires: now() + 1 }, now()) }),
  }
}

async function holds(check: Check): Promise<boolean> {
  const late = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), patience).unref()
  })
  const held = Promise.resolve()
    .then(check)
    .then(
      () => true,
      () => false,
    )
  return await Promise.race([held, late])
}
