import { existsSync, statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { beforeEach, describe, expect, it } from 'vitest'
import type { AuditStamp } from '../../model/audit.ts'
import { sampleReferenceToken } from '../sample-records.fixture.ts'
import type { Schema } from '../schema.ts'
import { temporaryFile } from '../temporary-store.fixture.ts'
import { openDatabase } from './database.ts'
import { createSqliteDialect } from './dialect.ts'
import { type Changes, createChanges, mayUseReserve } from './full-disk.ts'
import type { Call } from './group.ts'
import { createReserve } from './reserve.ts'

const reserveSize = 65_536
const { authorizationId: _, ...token } = sampleReferenceToken
const audit: AuditStamp = { event: 'token_revoked', time: 1, node: 'a', key: new Uint8Array(32) }
const inserts = (hash: string): Call => ({ verb: 'issue', data: { uses: [], referenceToken: { ...token, hash } } })
const revokes = (hash: string): Call => ({
  verb: 'audited',
  data: { verb: 'revokeReferenceToken', data: hash, audit },
})
const client = { client_id: 'client', disabled: false }
const refused = { refused: 'The disk is full.' }

let file: string
let database: DatabaseSync
let changes: Changes
let fulls: number

beforeEach(async ({ onTestFinished: atEnd }) => {
  file = temporaryFile(atEnd)
  database = await openDatabase(file)
  atEnd(() => database.close())
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  fulls = 0
  changes = createChanges(database, db, { reserve: createReserve(file, reserveSize), onFull: () => fulls++ })
  changes.recover()
})

/** As many pages as the database has now: then it cannot grow, as on a full disk. */
function fillUp(): void {
  const pages = Number(database.prepare('pragma page_count').get()?.page_count)
  database.exec(`pragma max_page_count = ${pages}`)
}

const long = (index: number) => `${index}`.padStart(2000, '0')

describe('changes on a full disk', () => {
  it('are all made while the reserve is held', async () => {
    expect(statSync(`${file}.reserve`).size).toBe(reserveSize)
    expect(await changes.make([inserts('first')])).toEqual({ outcomes: [{ answer: { issued: true } }] })
    expect([existsSync(`${file}.reserve`), fulls]).toEqual([true, 0])
  })

  it('are refused one by one, but for those that end something', async () => {
    await changes.make([inserts(long(0)), inserts(long(1))])
    fillUp()
    const outcome = await changes.make([inserts(long(2)), inserts(long(3)), revokes(long(0)), inserts(long(4))])
    expect(outcome).toEqual({ outcomes: [refused, refused, { answer: expect.anything() }, refused] })
    expect([existsSync(`${file}.reserve`), fulls]).toEqual([false, 1])
    expect(database.prepare('select count(*) as left from reference_token').get()?.left).toBe(1)
    expect(database.prepare('select count(*) as links from audit').get()?.links).toBe(1)
  })

  it('are all made again when the reserve fits again', async () => {
    await changes.make([inserts(long(0))])
    fillUp()
    await changes.make([inserts(long(1)), inserts(long(2)), inserts(long(3))])
    expect(await changes.make([inserts('short')])).toEqual({ outcomes: [refused] })
    database.exec('pragma max_page_count = 100000')
    expect(await changes.make([inserts('short')])).toEqual({ outcomes: [refused] })
    expect(changes.recover()).toBe(true)
    expect(await changes.make([inserts('short')])).toEqual({ outcomes: [{ answer: { issued: true } }] })
    expect(statSync(`${file}.reserve`).size).toBe(reserveSize)
  })

  it.each<[string, Call]>([
    ['the end of a reference token', { verb: 'revokeReferenceToken', data: 'hash' }],
    ['the end of a JWT', { verb: 'revokeJwt', data: { jti: 'id', expires: 1 } }],
    ['the end of an authorization', { verb: 'revokeAuthorization', data: { id: 'family', now: 1 } }],
    ['the end of a signing key', { verb: 'revokeSigningKey', data: {} }],
    ['the end of a session', { verb: 'deleteSession', data: 'hash' }],
    ['the end of a client', { verb: 'deleteClient', data: 'client' }],
    ['an audited end', revokes('hash')],
    ['a client that is disabled', { verb: 'replaceClient', data: { ...client, disabled: true } }],
    ['what a request to end something uses up', { verb: 'issue', data: { uses: [], toEnd: true } }],
    ['that somebody signs out', { verb: 'recordAudit', data: { ...audit, event: 'signed_out' } }],
  ])('let %s use the reserve', (_, call) => {
    expect(mayUseReserve(call)).toBe(true)
  })

  it.each<[string, Call]>([
    ['a new token', inserts('hash')],
    ['what another request uses up', { verb: 'issue', data: { uses: [] } }],
    ['a client that is changed', { verb: 'replaceClient', data: client }],
    ['an audited consent', { verb: 'audited', data: { verb: 'rememberConsent', data: {}, audit } }],
    ['a failed sign-in', { verb: 'recordAudit', data: { ...audit, event: 'sign_in_failed' } }],
    ['a count', { verb: 'count', data: { now: 1, counts: [] } }],
  ])('do not let %s use it', (_, call) => {
    expect(mayUseReserve(call)).toBe(false)
  })
})

describe('a reserve', () => {
  it('is not taken where the disk has too little, and leaves nothing', () => {
    const reserve = createReserve(file, 2 ** 50)
    expect([reserve.hold(), existsSync(`${file}.reserve`)]).toEqual([false, true])
    reserve.release()
    expect([reserve.hold(), existsSync(`${file}.reserve`)]).toEqual([false, false])
  })

  it('has all of its bytes on the disk', () => {
    const reserve = createReserve(`${file}.other`, 300_000)
    expect(reserve.hold()).toBe(true)
    const { size, blocks } = statSync(`${file}.other.reserve`)
    expect([size, blocks * 512 >= size]).toEqual([300_000, true])
  })

  it('that is there already is held', () => {
    expect(createReserve(file, reserveSize).isHeld()).toBe(true)
  })

  it('of another size is not', () => {
    expect(createReserve(file, reserveSize + 1).isHeld()).toBe(false)
  })
})
