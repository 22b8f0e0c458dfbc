import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import type { Report } from '../../ports/report.ts'
import type { Use } from '../../ports/store.ts'
import { type Child, runInChild } from '../child-process.fixture.ts'
import { openTemporaryStore, temporaryFile } from '../temporary-store.fixture.ts'
import { backUp } from './backup.ts'
import { openSqliteStore } from './sqlite.ts'

const use: Use = { kind: 'assertion', key: 'first', expires: 1000 }

const mayTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** Opens the store `store` on the file, and runs the script; `report` is given to it. */
function runWithStore(file: string, script: string, wrapper: readonly string[] = []): Child {
  const module = JSON.stringify(new URL('./sqlite.ts', import.meta.url))
  return runInChild(
    onTestFinished,
    `const { openSqliteStore } = await import(${module})
     const report = ({ event }) => console.log(event)
     let store = await openSqliteStore({ file: ${JSON.stringify(file)}, report, reserve: 4096 })
     ${script}`,
    wrapper,
  )
}

describe('an SQLite store and its faults', () => {
  it('refuses changes while another program holds the database, reads on, and goes on after', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires: 1000 })
    const other = new DatabaseSync(file)
    onTestFinished(() => other.close())
    other.exec('begin immediate')
    const change = store.issue({ uses: [use] })
    expect(await store.isJwtRevoked({ jti: 'id', issued: 1 })).toBe(true)
    await expect(change).rejects.toMatchObject({ name: 'StoreUnavailable' })
    other.exec('rollback')
    expect(await store.issue({ uses: [use] })).toEqual({ issued: true })
  })

  it('reports a write that the disk refuses, and ends for good', async () => {
    const file = temporaryFile(onTestFinished)
    const child = runWithStore(
      file,
      `const revoke = (jti) => store.revokeJwt({ jti, expires: 1000 }).catch(({ name }) => name)
       const together = await Promise.all(Array.from({ length: 10_000 }, (_, index) => revoke(String(index).repeat(20))))
       console.log(together.at(-1))
       console.log(await revoke('later'))
       await store.close()`,
      ['sh', '-c', 'ulimit -f 800; exec "$@"', 'sh'],
    )
    expect(await child.lines()).toEqual(['store_failed', 'StoreUnavailable', 'StoreUnavailable'])
    const { store } = await openTemporaryStore(onTestFinished, { file })
    expect(await store.isJwtRevoked({ jti: '0'.repeat(20), issued: 1 })).toBe(true)
  })

  it('reports a database that is corrupt, and ends for good', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    await store.close()
    corrupt(file, 'jwt_revocation')
    const events: string[] = []
    const report = ({ event }: Report) => events.push(event)
    const { store: again } = await openTemporaryStore(onTestFinished, { file, report })
    await expect(again.isJwtRevoked({ jti: 'id', issued: 1 })).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(events).toEqual([])
    await expect(again.revokeJwt({ jti: 'id', expires: 1000 })).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(events).toEqual(['store_failed'])
    await expect(again.isJwtRevoked({ jti: 'id', issued: 1 })).rejects.toMatchObject({ name: 'StoreUnavailable' })
  })

  it('keeps its log short under load, and makes it short again after somebody has read for long', {
    timeout: 60_000,
  }, async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    let next = 0
    const load = async (groups: number) => {
      for (let group = 0; group < groups; group++) {
        const keys = Array.from({ length: 256 }, () => `${next++}`.padStart(200, '0'))
        await Promise.all(keys.map((key) => store.issue({ uses: [{ ...use, key }] })))
      }
    }
    const log = () => statSync(`${file}-wal`).size / 1_048_576
    await load(60)
    expect(log()).toBeLessThan(8)
    const reader = new DatabaseSync(file, { readOnly: true })
    onTestFinished(() => reader.close())
    reader.exec('begin')
    reader.prepare('select count(*) from client').get()
    while (log() < 20) await load(10)
    reader.exec('commit')
    await load(3)
    expect(log()).toBeLessThanOrEqual(16)
    await load(60)
    expect(log()).toBeLessThanOrEqual(16)
  })

  it('is copied while another process writes without pause', { timeout: 60_000 }, async () => {
    const { file } = await openTemporaryStore(onTestFinished)
    const database = new DatabaseSync(file)
    database.exec(`with recursive number(value) as (select 1 union all select value + 1 from number where value < 20000)
      insert into single_use select 'proof', value || hex(zeroblob(800)), 4000000000 from number`)
    database.close()
    const writer = runInChild(
      onTestFinished,
      `const { DatabaseSync } = await import('node:sqlite')
       const database = new DatabaseSync(${JSON.stringify(file)}, { timeout: 5000 })
       database.exec('pragma synchronous = off')
       setInterval(() => database.exec('update state set changes = changes + 1'), 5)
       console.log('writes')`,
    )
    expect(await writer.line()).toBe('writes')
    const copied = await Promise.race([backUp(file, `${file}.copy`), pause(30_000, 'never')])
    expect(copied).toMatchObject({ bytes: expect.any(Number) })
  })

  it('does not hold up this thread while another program holds the database', async () => {
    const { store, file } = await openTemporaryStore(onTestFinished)
    const other = new DatabaseSync(file)
    onTestFinished(() => other.close())
    other.exec('begin immediate')
    const change = store.issue({ uses: [use] }).catch(({ name }: Error) => name)
    const first = await Promise.race([change, pause(0, 'this thread')])
    expect(first).toBe('this thread')
    expect(await change).toBe('StoreUnavailable')
  })

  it('stays the owner when nobody holds the store any more', async () => {
    const file = temporaryFile(onTestFinished)
    const child = runWithStore(
      file,
      `store = undefined
       const { setFlagsFromString } = await import('node:v8')
       const { runInNewContext } = await import('node:vm')
       setFlagsFromString('--expose-gc')
       for (let round = 0; round < 3; round++) {
         runInNewContext('gc')()
         await new Promise((resolve) => setTimeout(resolve, 10))
       }
       console.log('collected')`,
    )
    expect(await child.line()).toBe('collected')
    await expect(openSqliteStore({ file })).rejects.toMatchObject({ name: 'StoreOwned', pid: child.process.pid })
  })
})

requirePrograms('strace')('[F02] an SQLite store under strace', () => {
  /** How often it has synchronised the disk in the course of 50 changes, one after the other, with what is written before them. */
  async function countSyncs(prelude: string): Promise<number> {
    const file = temporaryFile(onTestFinished)
    const trace = `${file}.trace`
    const child = runInChild(
      onTestFinished,
      `${prelude}
       for (let index = 0; index < 50; index++) await revoke({ jti: String(index), expires: 1000 })
       await close()
       console.log('done')`.replaceAll('FILE', JSON.stringify(file)),
      ['strace', '-f', '-qq', '-o', trace, '-e', 'trace=fsync,fdatasync'],
    )
    expect(await child.lines()).toEqual(['done'])
    return readFileSync(trace, 'utf8').match(/(fsync|fdatasync)\(.* = 0$/gm)?.length ?? 0
  }
  const moduleOf = (name: string) => JSON.stringify(new URL(name, import.meta.url))

  it.skipIf(!mayTrace)('synchronises the disk for each group before it answers', async () => {
    const right = `const { openSqliteStore } = await import(${moduleOf('./sqlite.ts')})
      const store = await openSqliteStore({ file: FILE })
      const [revoke, close] = [store.revokeJwt, store.close]`
    expect(await countSyncs(right)).toBeGreaterThanOrEqual(50)
  })

  it.skipIf(!mayTrace)('would be found out if it did not', async () => {
    const wrong = `const { openDatabase } = await import(${moduleOf('./database.ts')})
      const database = await openDatabase(FILE)
      database.exec('pragma synchronous = normal')
      const statement = database.prepare('insert into jwt_revocation (jti, expires) values (:jti, :expires)')
      const [revoke, close] = [(data) => statement.run(data), () => database.close()]`
    expect(await countSyncs(wrong)).toBeLessThan(30)
  })
})

/** Overwrites the pages where a table and its indexes begin. */
function corrupt(file: string, table: string): void {
  const database = new DatabaseSync(file)
  const roots = database.prepare('select rootpage from sqlite_schema where tbl_name = ?').all(table)
  database.close()
  const bytes = readFileSync(file)
  for (const { rootpage } of roots) bytes.fill(7, (Number(rootpage) - 1) * 4096, Number(rootpage) * 4096)
  writeFileSync(file, bytes)
}
