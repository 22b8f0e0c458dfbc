import { randomUUID } from 'node:crypto'
import type { Awaitable } from '@holdfast/pop'
import type { Context } from '../../context.ts'
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

/** Something that a server needs. */
export interface Need {
  /** Says whether it is there. Rejects when it is not. */
  readonly check: () => Awaitable<unknown>
  /**
   * Only until it was there once: without it some requests are declined and others go on. All nodes share it, and a
   * balancer that took all of them out would stop those too.
   */
  readonly atFirst?: true
}

/** A check that takes longer has failed, in milliseconds. */
const patience = 2000

/**
 * Creates the probes of this process.
 * @param all what it needs to be ready, by the name that the answer gives it
 */
export function createProbes(all: Readonly<Record<string, Need>>, figures: () => Promise<Figures>): OwnProbes {
  const seen = new Set<string>()
  let stage: Stage = 'starting'
  const readiness = async (): Promise<Readiness> => {
    const found = await Promise.all(Object.entries(all).map(async ([name, need]) => ({ name, ...(await look(need)) })))
    for (const { name, there } of found) if (there) seen.add(name)
    const enough = found.every(({ name, there, atFirst }) => there || (atFirst && seen.has(name)))
    const needs = Object.fromEntries(found.map(({ name, there }) => [name, there ? 'there' : 'away']))
    return { ready: stage === 'serving' && enough, stage, needs }
  }
  return {
    enter(next) {
      stage = next
    },
    readiness,
    figures: async () => [await figures()],
  }
}

/** What a server needs to be ready. */
export function needsOf({ store, replay, now }: Context): Readonly<Record<string, Need>> {
  return {
    store: { check: () => store.listSigningKeys() },
    ...(replay && {
      replay: {
        check: () => replay.use({ key: randomUUID(), made: now() + 1, expires: now() + 1 }, now()),
        atFirst: true,
      },
    }),
  }
}

async function look({ check, ...need }: Need): Promise<Omit<Need, 'check'> & { readonly there: boolean }> {
  return { ...need, there: await holds(check) }
}

async function holds(check: Need['check']): Promise<boolean> {
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
