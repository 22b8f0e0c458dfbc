import { describe, expect, it, onTestFinished } from 'vitest'
import { type AuditAnchor, auditPage, verifyChains } from '../../administration/audit/chain.ts'
import type { AuditEntry, AuditStamp } from '../../model/audit.ts'
import { clientSchema } from '../../model/client.ts'
import { sampleAuthorization } from '../sample-records.fixture.ts'
import { openTemporaryStore, type TemporaryStore } from '../temporary-store.fixture.ts'

const key = new Uint8Array(32).fill(7)
const client = clientSchema.parse({ client_id: 'shop', token_endpoint_auth_method: 'none' })

function stamp(entry: Partial<AuditEntry> = {}, more: Partial<AuditStamp> = {}): AuditStamp {
  return { event: 'client_added', actor: 'operator', ...entry, time: 1000, node: 'one', key, ...more }
}

async function fill({ store }: TemporaryStore, count: number, node = 'one'): Promise<void> {
  for (let each = 1; each <= count; each++)
    await store.recordAudit(stamp({ client: `client ${each}` }, { time: 1000 + each, node }))
}

async function verify({ store }: TemporaryStore, anchors: readonly AuditAnchor[] = [], auditKey = key) {
  return await verifyChains(anchors, { store, auditKey })
}

async function faultOf(temporary: TemporaryStore, anchors: readonly AuditAnchor[] = []) {
  return (await verify(temporary, anchors)).flatMap(({ fault }) => fault ?? [])
}

describe('the audit log', () => {
  it('is one chain for each node, which holds from its first link to its end', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    await fill(temporary, 2, 'two')
    expect(await verify(temporary)).toMatchObject([
      { node: 'one', number: 3, first: 1001, last: 1003 },
      { node: 'two', number: 2, first: 1001, last: 1002 },
    ])
    expect(await faultOf(temporary)).toEqual([])
  })

  it('is longer than what is read at once', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, auditPage + 1)
    expect(await verify(temporary)).toMatchObject([{ node: 'one', number: auditPage + 1 }])
    expect(await faultOf(temporary)).toEqual([])
  })

  it('may be empty', async () => {
    expect(await verify(await openTemporaryStore(onTestFinished))).toEqual([])
  })

  it('of 64 entries at once of two nodes, by four processes, has no gap', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    const stores = [temporary.store, ...(await Promise.all([1, 2, 3].map(() => temporary.another())))]
    const entries = Array.from({ length: 64 }, (_, each) => ({ each, node: each % 2 === 0 ? 'one' : 'two' }))
    await Promise.all(
      entries.map(({ each, node }) =>
        stores[each % stores.length]?.recordAudit(stamp({ client: `${each}` }, { node })),
      ),
    )
    expect(await verify(temporary)).toMatchObject([
      { node: 'one', number: 32 },
      { node: 'two', number: 32 },
    ])
    expect(await faultOf(temporary)).toEqual([])
  })
})

describe('a change and its entry', () => {
  const added = { verb: 'insertClient', data: client, audit: stamp({ client: 'shop' }) } as const

  it('are recorded together', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.audited(added)).toBe(true)
    expect(await store.findClient('shop')).toEqual(client)
    expect(await store.listAudit({ node: 'one', after: 0, limit: 10 })).toMatchObject([
      { number: 1, event: 'client_added', entry: '{"actor":"operator","client":"shop"}' },
    ])
  })

  it('are not there where the change found nothing to do', async () => {
    const { store, count } = await openTemporaryStore(onTestFinished)
    await store.insertClient(client)
    const revocation = { id: sampleAuthorization.id, now: 1 }
    await store.issue({ uses: [], authorization: sampleAuthorization })
    await store.revokeAuthorization(revocation)
    await store.revokeJwt({ jti: 'known', expires: 100 })
    const nothing = [
      added,
      { ...added, verb: 'deleteClient', data: 'unknown' },
      { ...added, verb: 'revokeAuthorization', data: revocation },
      { ...added, verb: 'revokeJwt', data: { jti: 'known', expires: 100 } },
      { ...added, verb: 'revokeReferenceToken', data: 'unknown' },
      { ...added, verb: 'deleteSession', data: 'unknown' },
    ] as const
    for (const change of nothing) expect(await store.audited(change)).toBe(false)
    expect(await count('audit')).toBe(0)
    expect(await count('audit_head')).toBe(0)
  })

  it('are neither there where the entry cannot be recorded', async () => {
    const { store, run } = await openTemporaryStore(onTestFinished)
    await store.recordAudit(stamp())
    await run("update audit_head set mac = 'another'")
    await expect(store.audited(added)).rejects.toThrow()
    expect(await store.findClient('shop')).toBeUndefined()
  })
})

describe('what somebody does to the log who has the database and not the key', () => {
  const tampering: readonly (readonly [what: string, statement: string, found: object])[] = [
    ['changes a node', "update audit set node = 'three' where number = 2", { number: 2, problem: 'missing' }],
    ['changes a number', 'update audit set number = 9 where number = 2', { number: 2, problem: 'missing' }],
    ['changes a time', 'update audit set time = 1 where number = 2', { number: 2, problem: 'altered' }],
    ['changes an event', "update audit set event = 'signed_in' where number = 2", { number: 2, problem: 'altered' }],
    ['changes an entry', "update audit set entry = '{}' where number = 2", { number: 2, problem: 'altered' }],
    ['changes a mac', "update audit set mac = 'x' where number = 2", { number: 2, problem: 'altered' }],
    ['deletes the first link', 'delete from audit where number = 1', { number: 1, problem: 'missing' }],
    ['deletes one in the middle', 'delete from audit where number = 3', { number: 3, problem: 'missing' }],
    ['deletes the last one', 'delete from audit where number = 5', { number: 5, problem: 'missing' }],
    ['deletes all', 'delete from audit', { number: 1, problem: 'missing' }],
    [
      'swaps two',
      'update audit set number = number + 100 where number in (2, 4);' +
        'update audit set number = case number when 102 then 4 else 2 end where number > 100',
      { number: 2, problem: 'altered' },
    ],
    [
      'inserts one and counts on',
      'update audit set number = number + 100 where number > 2;' +
        'update audit set number = number - 99 where number > 100;' +
        'insert into audit select node, 3, time, event, entry, mac from audit where number = 2;' +
        'update audit_head set number = 6',
      { number: 3, problem: 'altered' },
    ],
    [
      'adds one behind the end',
      'insert into audit select node, 6, time, event, entry, mac from audit where number = 5',
      { number: 6, problem: 'altered' },
    ],
    [
      'deletes the last one, and moves the end',
      'delete from audit where number = 5;' +
        'update audit_head set number = 4, mac = (select mac from audit where number = 4)',
      { number: 4, problem: 'end' },
    ],
    ['moves the end', 'update audit_head set number = 4', { number: 5, problem: 'end' }],
    ['changes the mac of the end', "update audit_head set mac = 'x'", { number: 5, problem: 'end' }],
    ['changes the seal of the end', "update audit_head set seal = 'x'", { number: 5, problem: 'end' }],
    ['takes the end away', 'delete from audit_head', { number: 5, problem: 'end' }],
  ]

  it.each(tampering)('%s: is found, and named', async (_, statement, found) => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 5)
    expect(await faultOf(temporary)).toEqual([])
    await temporary.run(statement)
    expect(await faultOf(temporary)).toContainEqual({ node: 'one', ...found })
  })

  it('puts back an earlier end, and leaves what came after it: is found, and nothing is recorded any more', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    await temporary.run('create table kept as select * from audit_head')
    await fill(temporary, 2)
    await temporary.run('delete from audit_head; insert into audit_head select * from kept')
    expect(await faultOf(temporary)).toEqual([{ node: 'one', number: 4, problem: 'beyond' }])
    await expect(temporary.store.recordAudit(stamp())).rejects.toMatchObject({ name: 'StoreUnavailable' })
  })

  it('puts in an entry of a copy that went on by itself: is found at the one that follows', async () => {
    const [temporary, copy] = [await openTemporaryStore(onTestFinished), await openTemporaryStore(onTestFinished)]
    await fill(temporary, 5)
    await fill(copy, 2)
    await copy.store.recordAudit(stamp({ client: 'another' }, { time: 1003 }))
    const [link] = await copy.store.listAudit({ node: 'one', after: 2, limit: 1 })
    await temporary.run(`update audit set entry = '${link?.entry}', mac = '${link?.mac}' where number = 3`)
    expect(await faultOf(temporary)).toEqual([{ node: 'one', number: 4, problem: 'altered' }])
  })

  it('leaves the chains of other nodes as they are', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 5)
    await fill(temporary, 2, 'two')
    await temporary.run("delete from audit where number = 2 and node = 'one'")
    expect(await verify(temporary)).toEqual([
      expect.objectContaining({ node: 'one', number: 1, fault: { node: 'one', number: 2, problem: 'missing' } }),
      expect.not.objectContaining({ fault: expect.anything() }),
    ])
  })

  it('is not made good by the next entry: nothing is recorded after an end that was changed', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 5)
    await temporary.run('delete from audit where number = 5; update audit_head set number = 4')
    await expect(temporary.store.recordAudit(stamp())).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(await faultOf(temporary)).toEqual([{ node: 'one', number: 4, problem: 'end' }])
    await temporary.store.recordAudit(stamp({}, { node: 'one-again' }))
  })

  it('would not be found by who has another key', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 2)
    expect(await verify(temporary, [], new Uint8Array(32))).toMatchObject([
      { fault: { number: 1, problem: 'altered' } },
    ])
  })
})

describe('a link that was noted elsewhere', () => {
  it('shows that the log goes on from there', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    const [noted] = await verify(temporary)
    await fill(temporary, 1)
    expect(await faultOf(temporary, noted && [noted])).toEqual([])
  })

  it('shows that somebody put back an earlier state, end included', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    await temporary.run('create table kept as select * from audit_head')
    await fill(temporary, 1)
    const [noted] = await verify(temporary)
    await temporary.run(
      'delete from audit where number = 4; update audit_head set number = 3, mac = (select mac from kept), seal = (select seal from kept)',
    )
    expect(await faultOf(temporary)).toEqual([])
    expect(await faultOf(temporary, noted && [noted])).toEqual([{ node: 'one', number: 4, problem: 'anchor' }])
  })

  it('shows that who has the key too wrote another log', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    const [noted] = await verify(temporary)
    await temporary.run('delete from audit; delete from audit_head')
    await temporary.store.recordAudit(stamp())
    await temporary.store.recordAudit(stamp())
    await temporary.store.recordAudit(stamp())
    expect(await faultOf(temporary)).toEqual([])
    expect(await faultOf(temporary, noted && [noted])).toEqual([{ node: 'one', number: 3, problem: 'anchor' }])
  })

  it('shows that the log of a node is gone', async () => {
    const temporary = await openTemporaryStore(onTestFinished)
    await fill(temporary, 3)
    const [noted] = await verify(temporary)
    await temporary.run('delete from audit; delete from audit_head')
    expect(await faultOf(temporary)).toEqual([])
    expect(await faultOf(temporary, noted && [noted])).toEqual([{ node: 'one', number: 3, problem: 'anchor' }])
  })
})
