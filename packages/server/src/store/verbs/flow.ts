import type { Seconds } from '@holdfast/pop'
import type { Kysely } from 'kysely'
import type { AuthorizationRequest, Flow } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { parseStored } from './stored.ts'

/** Inserts a flow. */
export async function insertFlow(db: Kysely<Schema>, flow: Flow): Promise<void> {
  const { hash, browser, request, pushedRequest, created, expires } = flow
  await db
    .insertInto('flow')
    .values({
      hash,
      browser,
      client_id: request.clientId,
      request: JSON.stringify(request),
      pushed_request: pushedRequest ?? null,
      created,
      expires,
    })
    .execute()
}

/** Finds a flow that is not used up. */
export async function findFlow(db: Kysely<Schema>, hash: string): Promise<Flow | undefined> {
  const row = await db.selectFrom('flow').selectAll().where('hash', '=', hash).executeTakeFirst()
  if (!row) return undefined
  const { browser, pushed_request: pushedRequest, created, expires } = row
  const request = parseStored<AuthorizationRequest>(row.request)
  return { hash, browser, request, ...(pushedRequest === null ? {} : { pushedRequest }), created, expires }
}

/**
 * Uses up a flow that lives at this moment, together with the pushed request that it came from: of several flows that
 * one `request_uri` began, one comes to its end. The pushed request's own expiry was judged when the flow began.
 * @returns what was not there to be used up
 */
export async function redeemFlow(
  db: Kysely<Schema>,
  hash: string,
  now: Seconds,
): Promise<'flow' | 'pushed_request' | undefined> {
  const flow = await db
    .deleteFrom('flow')
    .where('hash', '=', hash)
    .where('expires', '>', now)
    .returning('pushed_request')
    .executeTakeFirst()
  if (!flow) return 'flow'
  if (flow.pushed_request === null) return undefined
  const { numDeletedRows } = await db
    .deleteFrom('pushed_request')
    .where('hash', '=', flow.pushed_request)
    .executeTakeFirst()
  return numDeletedRows === 1n ? undefined : 'pushed_request'
}
