import type { KeyBinding, Seconds } from '@holdfast/pop'
import type { Kysely, Selectable } from 'kysely'
import type { DeviceAuthorization } from '../../model/authorization.ts'
import type { Store } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { holdAuthorization, insertAuthorization } from './authorization.ts'
import { parseStored } from './stored.ts'

/** Inserts a device that waits, unless its user code is taken by one that has not expired. */
export async function insertDeviceAuthorization(db: Kysely<Schema>, device: DeviceAuthorization): Promise<boolean> {
  const { hash, userCodeHash, clientId, scope, resources, binding, created, expires, stage } = device
  await db
    .deleteFrom('device_authorization')
    .where('user_code_hash', '=', userCodeHash)
    .where('expires', '<=', created)
    .execute()
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('device_authorization')
    .values({
      hash,
      user_code_hash: userCodeHash,
      client_id: clientId,
      scope,
      resources: JSON.stringify(resources),
      binding: binding ? JSON.stringify(binding) : null,
      created,
      expires,
      stage,
      authorization_id: stage === 'approved' ? device.authorizationId : null,
      polled: null,
      polled_before: null,
    })
    .onConflict((conflict) => conflict.column('user_code_hash').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Finds a device by either of its codes. */
export async function findDeviceAuthorization(
  db: Kysely<Schema>,
  by: Parameters<Store['findDeviceAuthorization']>[0],
): Promise<DeviceAuthorization | undefined> {
  const rows = db.selectFrom('device_authorization').selectAll()
  const found = 'hash' in by ? rows.where('hash', '=', by.hash) : rows.where('user_code_hash', '=', by.userCodeHash)
  const row = await found.executeTakeFirst()
  return row && parseRow(row)
}

/** Approves a pending device with an authorization, or denies it without one. */
export async function decideDevice(
  db: Kysely<Schema>,
  { userCodeHash, now, authorization }: Parameters<Store['decideDevice']>[0],
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('device_authorization')
    .set({ stage: authorization ? 'approved' : 'denied', authorization_id: authorization?.id ?? null })
    .where('user_code_hash', '=', userCodeHash)
    .where('stage', '=', 'pending')
    .where('expires', '>', now)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  if (authorization) await insertAuthorization(db, authorization)
  return true
}

/** Notes a poll, and says how long ago the one before was. */
export async function pollDevice(
  db: Kysely<Schema>,
  { hash, now }: { readonly hash: string; readonly now: Seconds },
): Promise<Seconds | undefined> {
  const device = await db
    .updateTable('device_authorization')
    .set(({ ref }) => ({ polled_before: ref('polled'), polled: now }))
    .where('hash', '=', hash)
    .returning('polled_before')
    .executeTakeFirst()
  const before = device?.polled_before ?? undefined
  return before === undefined ? undefined : now - before
}

/** Uses up the code of an approved device that lives at this moment and whose authorization stands. @returns false when there is none */
export async function redeemDevice(db: Kysely<Schema>, hash: string, now: Seconds): Promise<boolean> {
  const device = await db
    .updateTable('device_authorization')
    .set({ stage: 'redeemed' })
    .where('hash', '=', hash)
    .where('stage', '=', 'approved')
    .where('expires', '>', now)
    .returning('authorization_id')
    .executeTakeFirst()
  return device?.authorization_id ? await holdAuthorization(db, device.authorization_id) : false
}

function parseRow(row: Selectable<Schema['device_authorization']>): DeviceAuthorization {
  const { hash, user_code_hash: userCodeHash, client_id: clientId, scope, binding, created, expires } = row
  const { stage, authorization_id: authorizationId } = row
  const device = {
    hash,
    userCodeHash,
    clientId,
    scope,
    resources: parseStored<readonly string[]>(row.resources),
    ...(binding === null ? {} : { binding: parseStored<KeyBinding>(binding) }),
    created,
    expires,
  }
  if (stage === 'pending' || stage === 'denied' || stage === 'redeemed') return { ...device, stage }
  if (stage === 'approved' && authorizationId !== null) return { ...device, stage, authorizationId }
  throw new Error('A stored device authorization is in no stage that is known.')
}
