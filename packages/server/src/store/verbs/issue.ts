import type { Kysely } from 'kysely'
import type { Issue, IssueOutcome, Use } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { insertReferenceToken } from './reference-token.ts'
import { Undone } from './undone.ts'

/** Marks the uses and inserts the records, or undoes itself and names the use that was lost. */
export async function issue(db: Kysely<Schema>, { uses, referenceToken }: Issue): Promise<IssueOutcome> {
  for (const use of inLockOrder(uses)) {
    if (!(await mark(db, use))) throw new Undone<IssueOutcome>({ issued: false, lost: use.kind })
  }
  if (referenceToken) await insertReferenceToken(db, referenceToken)
  return { issued: true }
}

async function mark(db: Kysely<Schema>, { kind, key, expires }: Use): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('single_use')
    .values({ kind, key, expires })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Two callers that use the same things wait for each other in the same order, so neither can hold what the other wants. */
function inLockOrder(uses: readonly Use[]): readonly Use[] {
  return uses.toSorted((one, other) => compare(`${one.kind} ${one.key}`, `${other.kind} ${other.key}`))
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
