import type { Kysely } from 'kysely'
import type { Session } from '../../model/authorization.ts'
import type { Schema } from '../schema.ts'
import { parseStored } from './stored.ts'

/** Inserts a session. */
export async function insertSession(db: Kysely<Schema>, session: Session): Promise<void> {
  const { hash, sid, subject, authenticated, methods, expires } = session
  await db
    .insertInto('session')
    .values({ hash, sid, subject, authenticated, methods: JSON.stringify(methods), expires })
    .execute()
}

/** Finds a session. */
export async function findSession(db: Kysely<Schema>, hash: string): Promise<Session | undefined> {
  const row = await db.selectFrom('session').selectAll().where('hash', '=', hash).executeTakeFirst()
  return row && { ...row, methods: parseStored<readonly string[]>(row.methods) }
}

/** Puts a session in the place of another, which ends whether it was there or not. */
export async function replaceSession(
  db: Kysely<Schema>,
  { old, session }: { readonly old: string; readonly session: Session },
): Promise<void> {
  await deleteSession(db, old)
  await insertSession(db, session)
}

/** Ends a session, if there is one. */
export async function deleteSession(db: Kysely<Schema>, hash: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('session').where('hash', '=', hash).executeTakeFirst()
  return numDeletedRows === 1n
}
