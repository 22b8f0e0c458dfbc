import type { Kysely } from 'kysely'
import { type AuditRecord, type AuditStamp, auditMac } from '../../model/audit.ts'
import type { Audited, Store } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { revokeAuthorization } from './authorization.ts'
import { deleteClient, insertClient, replaceClient } from './client.ts'
import { rememberConsent } from './consent.ts'
import { decideDevice } from './device-authorization.ts'
import { revokeJwt } from './jwt-revocation.ts'
import { revokeReferenceToken } from './reference-token.ts'
import { reseal } from './secret.ts'
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
}

/** Makes a change and records it, or neither. What changes nothing is not recorded. */
export async function audited(db: Kysely<Schema>, { verb, data, audit }: Audited): Promise<unknown> {
  // as: each change stands beside the data of its own verb.
  const run = auditable[verb] as (db: Kysely<Schema>, data: unknown) => Promise<unknown>
  const answer = await run(db, data)
  if (answer === false) throw new Undone(false)
  await recordAudit(db, audit)
  return answer
}

/** Adds a link to the chain of a node. Who adds to the same chain at the same time waits until this one stands. */
export async function recordAudit(db: Kysely<Schema>, { key, node, time, event, ...rest }: AuditStamp): Promise<void> {
  await db
    .insertInto('audit_head')
    .values({ node, number: 0, mac: '' })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const { number, mac: previous } = await db
    .updateTable('audit_head')
    .set(({ eb }) => ({ number: eb('number', '+', 1) }))
    .where('node', '=', node)
    .returning(['number', 'mac'])
    .executeTakeFirstOrThrow()
  const link = { node, number, time, event, entry: JSON.stringify(rest) }
  const mac = auditMac(link, previous, key)
  await db
    .insertInto('audit')
    .values({ ...link, mac })
    .execute()
  await db.updateTable('audit_head').set({ mac }).where('node', '=', node).execute()
}

/** Lists the links of one node's chain after a number. */
export async function listAudit(
  db: Kysely<Schema>,
  { node, after, limit }: Parameters<Store['listAudit']>[0],
): Promise<readonly AuditRecord[]> {
  const chain = db.selectFrom('audit').selectAll().where('node', '=', node)
  return await chain.where('number', '>', after).orderBy('number').limit(limit).execute()
}

/** Lists the end of each node's chain. */
export async function listAuditHeads(db: Kysely<Schema>): ReturnType<Store['listAuditHeads']> {
  return await db.selectFrom('audit_head').selectAll().orderBy('node').execute()
}
