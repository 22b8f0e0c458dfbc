import { setTimeout as pause } from 'node:timers/promises'
import type { Issue, Store } from '../../packages/server/src/ports/store.ts'
import { findThenSave } from '../../packages/server/src/store/flawed-store.fixture.ts'

/** Ways in which a store can be wrong. The checker must find each: else it proves nothing about the right one. */
export const flaws = {
  // It is opened so: openImpatientStore.
  'does not wait for the disk': (store: Store) => store,
  'answers before COMMIT': answerEarly,
  'looks first and marks later': findThenSave,
  'forgets revocations at restart': forgetRevocations,
} as const satisfies Readonly<Record<string, (store: Store) => Store>>

/** The name of a flaw. */
export type Flaw = keyof typeof flaws

/** Says whether there is a flaw of that name. */
export function isFlaw(name: string | undefined): name is Flaw {
  return name !== undefined && Object.hasOwn(flaws, name)
}

function answerEarly(store: Store): Store {
  const issue = async (data: Issue) => {
    if (!data.referenceToken) return await store.issue(data)
    void pause(30).then(() => store.issue(data))
    return { issued: true } as const
  }
  return { ...store, issue }
}

function forgetRevocations(store: Store): Store {
  const revoked = new Set<string>()
  return {
    ...store,
    revokeReferenceToken: async (hash) => Boolean(revoked.add(hash)),
    findReferenceToken: async (hash) => (revoked.has(hash) ? undefined : await store.findReferenceToken(hash)),
  }
}
