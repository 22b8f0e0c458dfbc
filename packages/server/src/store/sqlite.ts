import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { Report } from '../ports/report.ts'
import { type Store, StoreUnavailable } from '../ports/store.ts'
import { isOutage } from './failure.ts'
import { acquireOwnership, type Ownership } from './owner.ts'
import { createPrivateFile } from './private-file.ts'
import type { Schema } from './schema.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { reads } from './verbs.ts'
import { Writer } from './writer.ts'

/** How an SQLite store is opened. */
export interface SqliteOptions {
  /** Made when it is not there, readable for its owner only. */
  readonly file: string
  /** Told `store_failed` when the database can no longer be used: the process must end and be started again. */
  readonly report?: (report: Report) => void
  /** How many changes may wait, 10 000 by default. */
  readonly limit?: number
}

/**
 * Opens the database file, migrates it and makes this process its owner. Changes go through a worker thread, a
 * transaction for all that wait; reads are answered on this thread, from a connection that cannot write.
 * @throws {@link StoreOwned} when another process has it
 * @throws {@link StoreUnusable} when it was migrated by a newer Holdfast, or is no database
 */
export async function openSqliteStore({ file, report = () => {}, limit = 10_000 }: SqliteOptions): Promise<Store> {
  const ownership = await acquireOwnership(file)
  const writer = await openWriter({ file, report, limit }, ownership)
  // What listens to a running worker is never collected: the lock lives exactly as long as the writer.
  const released = writer.exited.then(() => ownership.release())
  return createStore(writer, new DatabaseSync(file, { readOnly: true, timeout: 50 }), released)
}

async function openWriter({ file, report, limit }: Required<SqliteOptions>, ownership: Ownership): Promise<Writer> {
  try {
    createPrivateFile(file)
    return await Writer.open(file, report, limit)
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

function createStore(writer: Writer, readonly: DatabaseSync, released: Promise<void>): Store {
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(readonly) })

  async function read<Answer>(verb: () => Promise<Answer>): Promise<Answer> {
    if (writer.ended) throw writer.ended
    try {
      return await verb()
    } catch (cause) {
      throw isOutage(cause) ? new StoreUnavailable('The database cannot be read.', { cause }) : cause
    }
  }

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    const drained = writer.close()
    readonly.close()
    await drained
    await released
  }

  return {
    issue: (data) => writer.run('issue', data),
    revokeReferenceToken: (hash) => writer.run('revokeReferenceToken', hash),
    revokeJwt: (revocation) => writer.run('revokeJwt', revocation),
    insertPushedRequest: (request) => writer.run('insertPushedRequest', request),
    insertFlow: (flow) => writer.run('insertFlow', flow),
    insertSession: (session) => writer.run('insertSession', session),
    replaceSession: (replacement) => writer.run('replaceSession', replacement),
    deleteSession: (hash) => writer.run('deleteSession', hash),
    revokeAuthorization: (revocation) => writer.run('revokeAuthorization', revocation),
    insertDeviceAuthorization: (device) => writer.run('insertDeviceAuthorization', device),
    decideDevice: (decision) => writer.run('decideDevice', decision),
    pollDevice: (poll) => writer.run('pollDevice', poll),
    rememberConsent: (consent) => writer.run('rememberConsent', consent),
    insertClient: (client) => writer.run('insertClient', client),
    replaceClient: (client) => writer.run('replaceClient', client),
    deleteClient: (clientId) => writer.run('deleteClient', clientId),
    ensureSigningKeys: (candidates) => writer.run('ensureSigningKeys', candidates),
    rotateSigningKey: (rotation) => writer.run('rotateSigningKey', rotation),
    purge: (data) => writer.run('purge', data),

    findReferenceToken: (hash) => read(() => reads.findReferenceToken(db, hash)),
    isJwtRevoked: (jti) => read(() => reads.isJwtRevoked(db, jti)),
    findPushedRequest: (hash) => read(() => reads.findPushedRequest(db, hash)),
    findFlow: (hash) => read(() => reads.findFlow(db, hash)),
    findSession: (hash) => read(() => reads.findSession(db, hash)),
    findCode: (hash) => read(() => reads.findCode(db, hash)),
    findRefreshToken: (hash) => read(() => reads.findRefreshToken(db, hash)),
    findAuthorization: (id) => read(() => reads.findAuthorization(db, id)),
    findDeviceAuthorization: (by) => read(() => reads.findDeviceAuthorization(db, by)),
    findConsent: (of) => read(() => reads.findConsent(db, of)),
    findClient: (clientId) => read(() => reads.findClient(db, clientId)),
    listClients: () => read(() => reads.listClients(db)),
    listWebOrigins: () => read(() => reads.listWebOrigins(db)),
    listSigningKeys: () => read(() => reads.listSigningKeys(db)),

    close: () => (closing ??= close()),
  }
}
