import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSealing } from '../../administration/keys/sealing.ts'
import { createSigningKey, openSealedKey } from '../../administration/keys/signing-keys.ts'
import type { ReferenceToken } from '../../model/reference-token.ts'
import type { Use } from '../../ports/store.ts'
import { openTemporaryStore, temporaryFile } from '../temporary-store.fixture.ts'
import { openSqliteStore } from './sqlite.ts'

const use: Use = { kind: 'assertion', key: 'first', expires: 1000 }
const token: ReferenceToken = {
  hash: 'hash',
  jti: 'id',
  subject: 'client',
  clientId: 'client',
  scope: 'api1',
  audience: ['https://api.example'],
  issued: 1,
  expires: 1000,
}

describe('the SQLite store', () => {
  it('keeps what it has acknowledged when it is closed and opened again', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [use], referenceToken: token })
    await store.revokeJwt({ jti: 'id', expires: 1000 })
    await store.close()

    const { store: again } = await openTemporaryStore(onTestFinished, { file })
    expect(await again.findReferenceToken('hash')).toEqual(token)
    expect(await again.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(true)
    expect(await again.issue({ uses: [use] })).toMatchObject({ issued: false })
  })

  it('makes files that only their owner may read', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [use] })
    const modes = ['', '-wal', '-shm', '.owner', '.pid'].map((suffix) => statSync(file + suffix).mode & 0o777)
    expect(modes).toEqual(modes.map(() => 0o600))
  })

  it('answers what waits when it is closed, and refuses what comes after', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    const waiting = Array.from({ length: 1000 }, (_, index) => store.issue({ uses: [{ ...use, key: `${index}` }] }))
    const closed = store.close()
    await expect(store.issue({ uses: [] })).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(store.findReferenceToken('hash')).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ issued: true })))
    await closed
    await store.close()

    const { store: again } = await openTemporaryStore(onTestFinished, { file })
    expect(await again.issue({ uses: [{ ...use, key: '999' }] })).toMatchObject({ issued: false })
  })

  it('touches no other change of the group when one fails', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token })
    const [before, failing, after] = await Promise.allSettled([
      store.issue({ uses: [{ ...use, key: 'before' }] }),
      store.issue({ uses: [{ ...use, key: 'with the taken hash' }], referenceToken: token }),
      store.issue({ uses: [{ ...use, key: 'after' }] }),
    ])
    expect([before.status, failing.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await store.issue({ uses: [{ ...use, key: 'before' }] })).toMatchObject({ issued: false })
    expect(await store.issue({ uses: [{ ...use, key: 'with the taken hash' }] })).toEqual({ issued: true })
  })

  it('refuses changes beyond those that may wait, and makes those it accepted', async () => {
    const { store } = await openTemporaryStore(onTestFinished, { limit: 10 })
    const settled = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => store.issue({ uses: [{ ...use, key: `${index}` }] })),
    )
    expect(settled.map(({ status }) => status)).toEqual([...Array(10).fill('fulfilled'), 'rejected', 'rejected'])
    expect(settled.at(-1)).toMatchObject({ reason: { name: 'StoreUnavailable' } })
    expect(await store.issue({ uses: [{ ...use, key: '11' }] })).toEqual({ issued: true })
  })

  it('holds neither a handle nor a private key in clear', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    const sealing = createSealing([new Uint8Array(32).fill(7)], nodePrimitives.random)
    const key = await createSigningKey('ES256', sealing, 1)
    await store.ensureSigningKeys([key])
    await store.issue({ uses: [], referenceToken: token })
    const bytes = Buffer.concat(['', '-wal'].map((suffix) => readFileSync(file + suffix)))
    const { d = '', x = '' } = openSealedKey(key, sealing).export({ format: 'jwk' })
    expect(bytes.includes(x)).toBe(true)
    expect(bytes.includes(d)).toBe(false)
    expect(bytes.includes(Buffer.from(d, 'base64url'))).toBe(false)
  })
})

describe('opening an SQLite store', () => {
  it('refuses a second owner and names the first', async () => {
    const { file } = await openTemporaryStore(onTestFinished)
    await expect(openSqliteStore({ file })).rejects.toMatchObject({ name: 'StoreOwned', pid: process.pid })
  })

  it('refuses a database with a newer schema, and lets go of it', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    await store.close()
    const database = new DatabaseSync(file)
    database.exec('update schema_version set version = version + 1')
    database.close()
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openSqliteStore({ file })).rejects.toMatchObject({ name: 'StoreUnusable' })
    }
  })

  it('refuses a file that is no database', async () => {
    const file = temporaryFile(onTestFinished)
    writeFileSync(file, 'a letter to my aunt '.repeat(100))
    await expect(openSqliteStore({ file })).rejects.toMatchObject({ name: 'StoreUnusable' })
  })

  it('refuses a folder that is not there', async () => {
    const file = `${temporaryFile(onTestFinished)}/missing/holdfast.db`
    await expect(openSqliteStore({ file })).rejects.toMatchObject({ name: 'StoreUnusable' })
  })
})
