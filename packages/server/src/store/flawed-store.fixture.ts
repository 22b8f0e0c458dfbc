import { setTimeout as pause } from 'node:timers/promises'
import type { Issue, Store } from '../ports/store.ts'

/** For tests: a store that looks whether something was used, and marks it a moment later. */
export function findThenSave(store: Store): Store {
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
