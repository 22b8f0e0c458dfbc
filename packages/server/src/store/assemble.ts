import type { Store } from '../ports/store.ts'
import { type ChangeName, changes, type ReadName, reads } from './verbs.ts'

/** How an adapter runs verbs. */
export interface Runner {
  readonly change: (name: ChangeName, data: unknown) => Promise<unknown>
  readonly read: (name: ReadName, data: unknown) => Promise<unknown>
}

/** Makes a store of the two lists of verbs, each run as its adapter does. */
export function assembleStore({ change, read }: Runner, rest: Pick<Store, 'watch' | 'close'>): Store {
  const methods: Record<string, (data: unknown) => Promise<unknown>> = {}
  for (const name of namesOf(changes)) methods[name] = (data) => change(name, data)
  for (const name of namesOf(reads)) methods[name] = (data) => read(name, data)
  // as: each name stands in the lists with the signature of its method, which the lists' types hold.
  const verbs: object = methods
  return { ...(verbs as Omit<Store, 'watch' | 'close'>), ...rest }
}

function namesOf<Name extends string>(list: Readonly<Record<Name, unknown>>): readonly Name[] {
  return Object.keys(list) as Name[]
}
