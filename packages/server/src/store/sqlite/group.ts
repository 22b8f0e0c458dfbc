import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import { StoreUnavailable } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { Undone } from '../verbs/undone.ts'
import { type ChangeName, changes } from '../verbs.ts'
import { type FailureKind, isOutage, kindOf, sentenceOf } from './failure.ts'

/** A change that waits to be made. */
export interface Call {
  readonly verb: ChangeName
  readonly data: unknown
}

/** What became of a call: its answer, why it alone failed, or why it was not made for now. */
export type Outcome = { readonly answer: unknown } | { readonly error: string } | { readonly refused: string }

/** What became of a group: everything is on the disk, or nothing is. */
export type GroupOutcome =
  | { readonly outcomes: readonly Outcome[] }
  | { readonly failure: string; readonly kind: FailureKind }

/**
 * Makes the changes in one transaction, a savepoint each. A change that throws is rolled back alone; when the
 * transaction itself fails, all of them are.
 */
export async function runGroup(
  database: DatabaseSync,
  db: Kysely<Schema>,
  calls: readonly Call[],
): Promise<GroupOutcome> {
  try {
    database.exec('begin immediate')
    const outcomes: Outcome[] = []
    for (const call of calls) outcomes.push(await runCall(database, db, call))
    database.exec('commit')
    return { outcomes }
  } catch (cause) {
    const failure = sentenceOf(cause)
    try {
      if (database.isTransaction) database.exec('rollback')
    } catch {
      return { failure, kind: 'fatal' }
    }
    return { failure, kind: kindOf(cause) }
  }
}

async function runCall(database: DatabaseSync, db: Kysely<Schema>, { verb, data }: Call): Promise<Outcome> {
  database.exec('savepoint change')
  try {
    const run = changes[verb] as (db: Kysely<Schema>, data: unknown) => Promise<unknown>
    const answer = await run(db, data)
    database.exec('release change')
    return { answer }
  } catch (cause) {
    if (!database.isTransaction || isOutage(cause)) throw cause
    database.exec('rollback to change; release change')
    if (cause instanceof Undone) return { answer: cause.answer }
    return cause instanceof StoreUnavailable ? { refused: cause.message } : { error: sentenceOf(cause) }
  }
}
