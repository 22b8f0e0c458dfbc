import type { Reason } from '@holdfast/pop'
import { beforeEach, describe, expect, it } from 'vitest'
import type { AuditStamp } from '../../model/audit.ts'
import type { Report } from '../../ports/report.ts'
import { StoreUnavailable } from '../../ports/store.ts'
import { createSuspicions, type Suspicions } from './suspicions.ts'

const key = new Uint8Array(32)
const replayed: Report & { readonly reason: Reason } = {
  level: 'info',
  event: 'refused',
  reason: 'dpop_replayed',
  client: 'shop',
  request: { method: 'POST', path: '/token', status: 400, ms: 1, address: '192.0.2.1' },
}

describe('suspicions', () => {
  let time: number
  let recorded: AuditStamp[]
  let reports: string[]
  let away: boolean
  let suspicions: Suspicions
  beforeEach(() => {
    ;[time, recorded, reports, away] = [1000, [], [], false]
    suspicions = createSuspicions({
      store: {
        async recordAudit(stamp) {
          if (away) throw new StoreUnavailable('away')
          recorded.push(stamp)
        },
      },
      audit: (entry) => ({ ...entry, time, node: 'one', key }),
      now: () => time,
      report: ({ event }) => reports.push(event),
    })
  })
  const from = (address: string): Report => ({ ...replayed, request: { ...replayed.request, address } as never })
  const done = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return recorded.map(({ time: _, node: __, key: ___, ...entry }) => entry)
  }
  const entry = { event: 'attack_suspected', reason: 'dpop_replayed', client: 'shop', address: '192.0.2.1' }

  it('are recorded at once, with reason, client and address', async () => {
    suspicions.note(replayed)
    expect(await done()).toEqual([entry])
  })

  it.each<Partial<Report>>([
    { reason: 'client_secret_wrong' },
    { reason: 'code_used' },
    { reason: 'no reason of ours' },
    { event: 'answered' },
  ])('are nothing else: %o', async (other) => {
    suspicions.note({ ...replayed, ...other })
    expect(await done()).toEqual([])
  })

  it('failed sign-ins are recorded as such', async () => {
    suspicions.note({ level: 'info', event: 'sign_in_failed', client: 'shop', address: '192.0.2.1' })
    suspicions.note({ ...replayed, reason: 'upstream_person_unknown' })
    expect(await done()).toMatchObject([
      { event: 'sign_in_failed', client: 'shop', address: '192.0.2.1' },
      { event: 'sign_in_failed', reason: 'upstream_person_unknown' },
    ])
  })

  it('of one kind make one entry in a minute; the rest is counted, and told then', async () => {
    for (let count = 0; count < 1000; count++) suspicions.note(replayed)
    time += 59
    suspicions.settle()
    expect(await done()).toEqual([entry])
    time += 1
    suspicions.settle()
    expect(await done()).toEqual([entry, { ...entry, details: { count: 999 } }])
    time += 59
    suspicions.settle()
    suspicions.note(replayed)
    expect(await done()).toHaveLength(2)
  })

  it('are forgotten after a quiet minute', async () => {
    suspicions.note(replayed)
    time += 60
    suspicions.settle()
    suspicions.note(replayed)
    expect(await done()).toEqual([entry, entry])
  })

  it.each<[string, Report, number]>([
    ['another reason', { ...replayed, reason: 'assertion_replayed' }, 2],
    ['another client', { ...replayed, client: 'till' }, 2],
    ['another address', from('192.0.2.2'), 2],
    ['another network of IPv6', from('2001:db8:0:1::1'), 2],
  ])('of %s are of another kind', async (_, other, entries) => {
    suspicions.note(replayed)
    suspicions.note(other)
    expect(await done()).toHaveLength(entries)
  })

  it('of one network of IPv6 are of one kind', async () => {
    suspicions.note(from('2001:db8::1'))
    suspicions.note(from('2001:db8::2:1'))
    expect(await done()).toHaveLength(1)
  })

  it('of very many clients make few entries: what is too much is counted by its reason', async () => {
    for (let count = 0; count < 10_000; count++)
      suspicions.note({ ...from(`192.0.2.${count % 250}`), client: `client ${count}` })
    expect(await done()).toHaveLength(101)
    expect(recorded.at(-1)).not.toHaveProperty('client')
    time += 60
    suspicions.settle()
    expect((await done()).at(-1)).toEqual({
      event: 'attack_suspected',
      reason: 'dpop_replayed',
      details: { count: 10_000 - 101 },
    })
    expect(recorded).toHaveLength(102)
  })

  it('of one network leave room for those of others, whatever clients it makes up', async () => {
    for (let count = 0; count < 1000; count++) suspicions.note({ ...replayed, client: `client ${count}` })
    const { client: _, ...ofNetwork } = entry
    expect(await done()).toHaveLength(21)
    expect((await done()).at(-1)).toEqual(ofNetwork)
    suspicions.note(from('192.0.2.2'))
    expect((await done()).at(-1)).toEqual({ ...entry, address: '192.0.2.2' })
  })

  it('that cannot be recorded are reported, and told by the next entry', async () => {
    away = true
    for (let count = 0; count < 3; count++) suspicions.note(replayed)
    expect(await done()).toEqual([])
    expect(reports).toEqual(['audit_not_recorded'])
    away = false
    time += 60
    suspicions.settle()
    expect(await done()).toEqual([{ ...entry, details: { count: 3 } }])
  })

  it('that were only counted are recorded when the server stops', async () => {
    for (let count = 0; count < 3; count++) suspicions.note(replayed)
    await suspicions.close()
    expect(await done()).toEqual([entry, { ...entry, details: { count: 2 } }])
  })

  it('go on when the clock is put back', async () => {
    for (let count = 0; count < 3; count++) suspicions.note(replayed)
    time -= 100_000
    suspicions.settle()
    expect(await done()).toEqual([entry, { ...entry, details: { count: 2 } }])
  })
})
