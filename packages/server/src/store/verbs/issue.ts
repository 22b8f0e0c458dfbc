import type { Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { Issue, IssueOutcome, Lost, Redemption, Use } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { holdAuthorization, insertAuthorization } from './authorization.ts'
import { insertCode, redeemCode } from './code.ts'
import { redeemDevice } from './device-authorization.ts'
import { redeemFlow } from './flow.ts'
import { redeemPushedRequest } from './pushed-request.ts'
import { insertReferenceToken } from './reference-token.ts'
import { insertRefreshToken, redeemRefreshToken } from './refresh-token.ts'
import { insertSession } from './session.ts'
import { Undone } from './undone.ts'

/** Uses up what there is to use up and inserts the records, or undoes itself and names what was lost. */
export async function issue(db: Kysely<Schema>, data: Issue): Promise<IssueOutcome> {
  const { authorization, code, refreshToken, referenceToken, session } = data
  const lost = (await useUp(db, data)) ?? (await redeemAll(db, data))
  if (lost) throw new Undone<IssueOutcome>({ issued: false, lost })
  if (authorization) await insertAuthorization(db, authorization)
  for (const id of familiesOf(data)) {
    if (!(await holdAuthorization(db, id))) throw new Undone<IssueOutcome>({ issued: false, lost: 'authorization' })
  }
  if (code) await insertCode(db, code)
  if (refreshToken) await insertRefreshToken(db, refreshToken)
  if (referenceToken) await insertReferenceToken(db, referenceToken)
  if (session) await insertSession(db, session)
  return { issued: true }
}

async function useUp(db: Kysely<Schema>, { uses }: Issue): Promise<Lost | undefined> {
  for (const use of inLockOrder(uses, ({ kind, key }) => `${kind} ${key}`)) {
    if (!(await mark(db, use))) return use.kind
  }
  return undefined
}

async function mark(db: Kysely<Schema>, { kind, key, expires }: Use): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('single_use')
    .values({ kind, key, expires })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

async function redeemAll(db: Kysely<Schema>, { redemptions = [], now }: Issue): Promise<Lost | undefined> {
  if (redemptions.length === 0) return undefined
  if (now === undefined) throw new Error('A redemption is judged at a moment: give now.')
  for (const redemption of inLockOrder(redemptions, ({ kind, hash }) => `${kind} ${hash}`)) {
    const lost = await redeem(db, redemption, now)
    if (lost) return lost
  }
  return undefined
}

async function redeem(db: Kysely<Schema>, { kind, hash }: Redemption, now: Seconds): Promise<Lost | undefined> {
  switch (kind) {
    case 'flow':
      return await redeemFlow(db, hash, now)
    case 'pushed_request':
      return (await redeemPushedRequest(db, hash, now)) ? undefined : kind
    case 'code':
      return (await redeemCode(db, hash, now)) ? undefined : kind
    case 'refresh_token':
      return (await redeemRefreshToken(db, hash, now)) ? undefined : kind
    case 'device_code':
      return (await redeemDevice(db, hash, now)) ? undefined : kind
  }
}

/** The authorizations that something is recorded for, and the one that the caller asks for. */
function familiesOf({ requireAuthorization, code, refreshToken, referenceToken }: Issue): readonly string[] {
  const ids = [
    requireAuthorization,
    code?.authorizationId,
    refreshToken?.authorizationId,
    referenceToken?.authorizationId,
  ]
  return inLockOrder([...new Set(ids.filter((id) => id !== undefined))], (id) => id)
}

/** Two callers that use the same things wait for each other in the same order, so neither can hold what the other wants. */
function inLockOrder<Thing>(things: readonly Thing[], name: (thing: Thing) => string): readonly Thing[] {
  return things.toSorted((one, other) => compare(name(one), name(other)))
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
