import { parseJsonObject } from '@holdfast/pop'
import type { Kysely, Selectable } from 'kysely'
import { type Client, clientSchema } from '../../model/client.ts'
import type { Schema } from '../schema.ts'
import { countChange } from './state.ts'

/** Finds a client. */
export async function findClient(db: Kysely<Schema>, clientId: string): Promise<Client | undefined> {
  const row = await db.selectFrom('client').selectAll().where('client_id', '=', clientId).executeTakeFirst()
  return row && parseRow(row)
}

/** Lists the clients by client_id. */
export async function listClients(db: Kysely<Schema>): Promise<readonly Client[]> {
  const rows = await db.selectFrom('client').selectAll().orderBy('client_id').execute()
  return rows.map(parseRow)
}

/** Lists the origins of web applications. Among many clients few have one: only those are parsed. */
export async function listWebOrigins(db: Kysely<Schema>): Promise<readonly string[]> {
  const rows = await db.selectFrom('client').selectAll().where('registration', 'like', '%"web_origins":["%').execute()
  return rows.map(parseRow).flatMap(({ web_origins, disabled }) => (disabled ? [] : web_origins))
}

/** Inserts a client, unless its id is taken. */
export async function insertClient(db: Kysely<Schema>, client: Client): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('client')
    .values(renderRow(client))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  await countChange(db)
  return numInsertedOrUpdatedRows === 1n
}

/** Replaces a client, if there is one. */
export async function replaceClient(db: Kysely<Schema>, client: Client): Promise<boolean> {
  const { client_id, registration } = renderRow(client)
  const { numUpdatedRows } = await db
    .updateTable('client')
    .set({ registration })
    .where('client_id', '=', client_id)
    .executeTakeFirst()
  await countChange(db)
  return numUpdatedRows === 1n
}

/** Deletes a client and everything that was made for it, if there is one. */
export async function deleteClient(db: Kysely<Schema>, clientId: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('client').where('client_id', '=', clientId).executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await countChange(db)
  for (const table of leftByClients) await db.deleteFrom(table).where('client_id', '=', clientId).execute()
  return true
}

/**
 * What a client leaves. What an authorization can follow from goes before it, and what follows from it after: each deletion
 * waits for whoever is about to add to the next, and nobody adds to an authorization that is gone.
 */
const leftByClients = [
  'flow',
  'pushed_request',
  'device_authorization',
  'authorization',
  'code',
  'refresh_token',
  'reference_token',
  'consent',
] as const

function renderRow({ client_id, ...registration }: Client): Selectable<Schema['client']> {
  return { client_id, registration: JSON.stringify(registration) }
}

function parseRow({ client_id, registration }: Selectable<Schema['client']>): Client {
  return clientSchema.parse({ client_id, ...parseJsonObject(registration) })
}
