import { setTimeout as pause } from 'node:timers/promises'
import { Kysely } from 'kysely'
import type { Issue, Store } from '../../packages/server/src/ports/store.ts'
import { assembleStore } from '../../packages/server/src/store/assemble.ts'
import { runGroup } from '../../packages/server/src/store/group.ts'
import { createPrivateFile } from '../../packages/server/src/store/private-file.ts'
import type { Schema } from '../../packages/server/src/store/schema.ts'
import { openDatabase } from '../../packages/server/src/store/sqlite-database.ts'
import { createSqliteDialect } from '../../packages/server/src/store/sqlite-dialect.ts'
import type { ChangeName } from '../../packages/server/src/store/verbs.ts'

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

/** Opens a store whose COMMIT ends before the disk has it (`synchronous = normal`). */
export async function openImpatientStore(file: string): Promise<Store> {
  createPrivateFile(file)
  const database = await openDatabase(file)
  database.exec('pragma synchronous = normal')
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  let before: Promise<unknown> = Promise.resolve()
  const change = (verb: ChangeName, data: unknown): Promise<unknown> => {
    const made = before.then(() => runGroup(database, db, [{ verb, data }]))
    before = made
    return made.then((outcome) => {
      const [first] = 'outcomes' in outcome ? outcome.outcomes : []
      if (!first || !('answer' in first)) throw new Error('The change failed.')
      return first.answer
    })
  }
  const read = () => Promise.reject(new Error('It is only written to.'))
  return assembleStore({ change, read }, { watch() {}, close: async () => database.close() })
}

function answerEarly(store: Store): Store {
  const issue = async (data: Issue) => {
    if (!data.referenceToken) return await store.issue(data)
    void pause(30).then(() => store.issue(data))
    return { issued: true } as const
  }
  return { ...store, issue }
}

function findThenSave(store: Store): Store {
  const marked = new Set<string>()
  const issue = async (data: Issue) => {
    const [use] = data.uses
    if (!use) return await store.issue(data)
    const isMarked = marked.has(use.key)
    await pause(2)
    marked.add(use.key)
    if (!isMarked) await store.issue(data)
    return isMarked ? ({ issued: false, lost: use.kind } as const) : ({ issued: true } as const)
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
