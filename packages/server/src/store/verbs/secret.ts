import type { Kysely } from 'kysely'
import type { Store } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import { countChange } from './state.ts'
import { Undone } from './undone.ts'

/** Keeps a sealed secret, unless there is one. @returns the one that is kept */
export async function ensureSecret(db: Kysely<Schema>, { sealed }: { readonly sealed: string }): Promise<string> {
  await db.updateTable('state').set({ secret: sealed }).where('secret', 'is', null).execute()
  const { secret } = await db.selectFrom('state').select('secret').executeTakeFirstOrThrow()
  return secret ?? sealed
}

/** Replaces what is sealed under an old key, where it is still as it was. @returns how many were replaced */
export async function reseal(
  db: Kysely<Schema>,
  { keys, secret }: Parameters<Store['reseal']>[0],
): ReturnType<Store['reseal']> {
  await countChange(db)
  let replaced = 0n
  for (const { kid, from, sealed } of keys) {
    const update = db.updateTable('signing_key').set({ sealed }).where('kid', '=', kid).where('sealed', '=', from)
    replaced += (await update.executeTakeFirst()).numUpdatedRows
  }
  if (secret) {
    const update = db.updateTable('state').set({ secret: secret.sealed }).where('secret', '=', secret.from)
    replaced += (await update.executeTakeFirst()).numUpdatedRows
  }
  if (replaced === 0n) throw new Undone(0)
  return Number(replaced)
}
