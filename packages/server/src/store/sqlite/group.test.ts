import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Use } from '../../ports/store.ts'
import { migrate } from '../migrator.ts'
import type { Schema } from '../schema.ts'
import { temporaryFile } from '../temporary-store.fixture.ts'
import { createSqliteDialect } from './dialect.ts'
import { type Call, type GroupOutcome, runGroup } from './group.ts'

const use: Use = { kind: 'assertion', key: 'first', expires: 1000 }
const issues: Call = { verb: 'issue', data: { uses: [use] } }
const revokes: Call = { verb: 'revokeJwt', data: { jti: 'id', expires: 1000 } }
/** A moment that is no integer breaks the verb in the middle: its first use is marked by then. */
const breaks: Call = { verb: 'issue', data: { uses: [use, { kind: 'assertion', key: 'second', expires: {} }] } }

let database: DatabaseSync
let db: Kysely<Schema>

beforeEach(async ({ onTestFinished: atEnd }) => {
  database = new DatabaseSync(temporaryFile(atEnd))
  atEnd(() => database.close())
  const dialect = createSqliteDialect(database)
  db = new Kysely<Schema>({ dialect })
  await migrate(new Kysely<unknown>({ dialect }))
})

function run(...calls: Call[]): Promise<GroupOutcome> {
  return runGroup(database, db, calls)
}

function countOf(table: keyof Schema): unknown {
  return database.prepare(`select count(*) as count from ${table}`).get()?.count
}

describe('a group of changes', () => {
  it('answers each one', async () => {
    expect(await run(issues, revokes)).toEqual({ outcomes: [{ answer: { issued: true } }, { answer: true }] })
    expect(database.isTransaction).toBe(false)
  })

  it('lets a later one see an earlier one', async () => {
    const lost = { answer: { issued: false, lost: 'assertion' } }
    expect(await run(issues, issues)).toEqual({ outcomes: [{ answer: { issued: true } }, lost] })
  })

  it('undoes one that throws, wholly, and no other', async () => {
    const outcome = await run(revokes, breaks, issues)
    expect(outcome).toEqual({
      outcomes: [{ answer: true }, { error: expect.any(String) }, { answer: { issued: true } }],
    })
    expect([countOf('jwt_revocation'), countOf('single_use')]).toEqual([1, 1])
  })

  it('fails as a whole when the disk is full, and the next one is made when there is room', async () => {
    const many = Array.from({ length: 50 }, (_, index) => ({ ...use, key: `${index}`.padStart(500, '0') }))
    database.exec('pragma max_page_count = 22')
    const full = await run(revokes, { verb: 'issue', data: { uses: many } }, issues)
    expect(full).toEqual({ failure: expect.stringContaining('(13)'), kind: 'full' })
    expect([countOf('jwt_revocation'), countOf('single_use')]).toEqual([0, 0])

    database.exec('pragma max_page_count = 1000')
    expect(await run(issues)).toEqual({ outcomes: [{ answer: { issued: true } }] })
  })

  it('fails as a whole while another program writes', async () => {
    const other = new DatabaseSync(database.location() ?? '')
    onTestFinished(() => other.close())
    other.exec('begin immediate')
    expect(await run(issues)).toEqual({ failure: expect.stringContaining('(5)'), kind: 'locked' })
    other.exec('rollback')
    expect(await run(issues)).toEqual({ outcomes: [{ answer: { issued: true } }] })
  })
})
