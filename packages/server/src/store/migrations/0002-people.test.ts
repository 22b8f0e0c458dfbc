import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSchema } from '../../model/client.ts'
import { migrate, migrations } from '../migrator.ts'
import { sampleAuthorization, sampleReferenceToken } from '../sample-records.fixture.ts'
import { createSqliteDialect } from '../sqlite/dialect.ts'
import { openTemporaryStore, temporaryFile } from '../temporary-store.fixture.ts'

/** A database as the first schema left it, with a row in each table. */
async function makeFirst(): Promise<string> {
  const file = temporaryFile(onTestFinished)
  const database = new DatabaseSync(file)
  await migrate(new Kysely<unknown>({ dialect: createSqliteDialect(database) }), migrations.slice(0, 1))
  database.exec(`
    insert into client values ('client', '{"token_endpoint_auth_method":"none","scope":"api1"}');
    insert into reference_token values ('hash', 'id', 'client', 'client', 'api1', '["https://api.example"]', null, 1, 1000);
    insert into jwt_revocation values ('revoked', 1000);
    insert into single_use values ('assertion', 'first', 1000);
    insert into signing_key values ('kid', 1, 'ES256', 'active', '{}', 'v1.', 1, 1, null);
  `)
  database.close()
  return file
}

describe('the second schema', () => {
  it('keeps what the first one held', async () => {
    const { store } = await openTemporaryStore(onTestFinished, { file: await makeFirst() })
    const client = { client_id: 'client', token_endpoint_auth_method: 'none', scope: 'api1' } as const
    expect(await store.listClients()).toEqual([clientSchema.parse(client)])
    expect(await store.findReferenceToken('hash')).toEqual({
      hash: 'hash',
      jti: 'id',
      clientId: 'client',
      subject: 'client',
      scope: 'api1',
      audience: ['https://api.example'],
      issued: 1,
      expires: 1000,
    })
    expect(await store.isJwtRevoked({ jti: 'revoked', issued: 1 })).toBe(true)
    expect(await store.issue({ uses: [{ kind: 'assertion', key: 'first', expires: 1000 }] })).toMatchObject({
      issued: false,
    })
    expect(await store.listSigningKeys()).toMatchObject([{ kid: 'kid', stage: 'active' }])
  })

  it('takes tokens of a family beside those of before', async () => {
    const { store } = await openTemporaryStore(onTestFinished, { file: await makeFirst() })
    await store.issue({ uses: [], authorization: sampleAuthorization, referenceToken: sampleReferenceToken })
    await store.revokeAuthorization({ id: sampleAuthorization.id, now: 150 })
    expect(await store.findReferenceToken('reference')).toBeUndefined()
    expect(await store.findReferenceToken('hash')).toBeDefined()
  })
})
