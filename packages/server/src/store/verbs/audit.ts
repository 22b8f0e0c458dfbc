import { type Kysely, sql } from 'kysely'
import { type AuditHead, type AuditRecord, type AuditStamp, auditMac, auditSeal } from '../../model/audit.ts'
import { type Audited, type Store, StoreUnavailable } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { revokeAuthorization } from './authorization.ts'
import { deleteClient, insertClient, replaceClient } from './client.ts'
import { rememberConsent } from './consent.ts'
import { decideDevice } from './device-authorization.ts'
import { revokeJwt } from './jwt-revocation.ts'
import { revokeReferenceToken } from './reference-token.ts'
import { reseal } from './secret.ts'
import { deleteSession, insertSession, replaceSession } from './session.ts'
import { revokeSigningKey, rotateSigningKey } from './signing-key.ts'
import { endAll } from './state.ts'
import { Undone } from './undone.ts'

const auditable = {
  insertClient,
  replaceClient,
  deleteClient,
  rotateSigningKey,
  revokeSigningKey,
  reseal,
  revokeJwt,
  revokeReferenceToken,
  revokeAuthorization,
  decideDevice,
  rememberConsent,
  endAll,
  insertSession,
  replaceSession,
  deleteSession,
}

/** Makes a change and records it, or neither. What changes nothing is not recorded. */
export async function audited(db: Kysely<Schema>, { verb, data, audit }: Audited): ReturnType<Store['audited']> {
  // as: each change stands beside the data of its own verb.
  const run = auditable[verb] as (db: Kysely<Schema>, data: unknown) => ReturnType<Store['audited']>
  const answer = await run(db, data)
  if (answer === false) throw new Undone(false)
  await recordAudit(db, audit)
  return answer
}

/**
 * Adds a link to the chain of a node. Who adds to the same chain at the same time waits until this one stands. Nothing is
 * added after an end that is not the server's own: that would make it one.
 */
export async function recordAudit(db: Kysely<Schema>, { key, node, time, event, ...rest }: AuditStamp): Promise<void> {
  const before = (await takeEnd(db, node)) ?? (await beginChain(db, node))
  if (before.number > 0 && before.seal !== auditSeal(before, key)) throw changedBySomebody(node)
  const link = { node, number: before.number + 1, time, event, entry: JSON.stringify(rest) }
  const mac = auditMac(link, before.mac, key)
  const insert = db.insertInto('audit').values({ ...link, mac })
  const { numInsertedOrUpdatedRows } = await insert.onConflict((conflict) => conflict.doNothing()).executeTakeFirst()
  if (numInsertedOrUpdatedRows !== 1n) throw changedBySomebody(node)
  await db
    .updateTable('audit_head')
    .set({ mac, seal: auditSeal({ ...link, mac }, key) })
    .where('node', '=', node)
    .execute()
}

function changedBySomebody(node: string): StoreUnavailable {
  return new StoreUnavailable(`The audit log of the node ${node} was changed: \`holdfast audit verify\` says where.`)
}

/** Moves the end by one link. @returns where it was, which nobody else moves until the transaction ends */
async function takeEnd(db: Kysely<Schema>, node: string): Promise<AuditHead | undefined> {
  const after = await db
    .updateTable('audit_head')
    .set(({ eb }) => ({ number: eb('number', '+', 1) }))
    .where('node', '=', node)
    .returningAll()
    .executeTakeFirst()
  return after && { ...after, number: after.number - 1 }
}

async function beginChain(db: Kysely<Schema>, node: string): Promise<AuditHead> {
  const beginning = { node, number: 0, mac: '', seal: '' }
  const insert = db.insertInto('audit_head').values(beginning)
  await insert.onConflict((conflict) => conflict.doNothing()).execute()
  return (await takeEnd(db, node)) ?? beginning
}

/** Lists the links of one node's chain after a number. */
export async function listAudit(
  db: Kysely<Schema>,
  { node, after, limit }: Parameters<Store['listAudit']>[0],
): Promise<readonly AuditRecord[]> {
  const chain = db.selectFrom('audit').selectAll().where('node', '=', node)
  return await chain.where('number', '>', after).orderBy('number').limit(limit).execute()
}

/** Lists the end of each node's chain, and links that have none: one look into the index for each node. */
export async function listAuditHeads(db: Kysely<Schema>): Promise<readonly AuditHead[]> {
  return await db
    .withRecursive('chain(node)', (from) =>
      from
        .selectFrom('audit')
        .select(({ fn }) => fn.min('node').as('node'))
        .unionAll(from.selectFrom('chain').select(nextNode).where('chain.node', 'is not', null)),
    )
    .selectFrom('audit_head')
    .select(['node', 'number', 'mac', 'seal'])
    .unionAll(({ selectFrom }) =>
      selectFrom('chain')
        .select(['chain.node', sql<number>`0`.as('number'), nothing.as('mac'), nothing.as('seal')])
        .where('chain.node', 'is not', null)
        .where('chain.node', 'not in', selectFrom('audit_head').select('audit_head.node')),
    )
    .orderBy('node')
    .execute()
}

const nothing = sql<string>`''`

const nextNode = sql<string>`(select min(node) from audit where node > chain.node)`.as('node')
