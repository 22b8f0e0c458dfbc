import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sampleReferenceToken } from '../../packages/server/src/store/sample-records.fixture.ts'
import { openSqliteStore } from '../../packages/server/src/store/sqlite/sqlite.ts'
import { settings } from './families.ts'
import { mayMount, mountSmallDisk, type SmallDisk } from './small-disk.ts'
import { createVictim, type Victim } from './victim.ts'
import { askDatabase } from './witnesses.ts'

const describeMounted = mayMount
  ? describe
  : (title: string, body: () => void) => describe.skip(`${title} (needs the right to mount)`, body)

const machine = { client_id: 'machine', client_secret: 'secret' }
const credentials = { grant_type: 'client_credentials' }

function newDisk(size: number): SmallDisk {
  const disk = mountSmallDisk(size)
  onTestFinished(() => disk.unmount())
  return disk
}

async function issue(victim: Victim): Promise<string> {
  return String((await victim.post('/token', { ...machine, ...credentials })).json.access_token)
}

async function isActive(victim: Victim, token: string): Promise<unknown> {
  return (await victim.post('/introspect', { client_id: 'api1', client_secret: 'secret', token })).json.active
}

describeMounted('[F04] a disk that is full', () => {
  it('stops what writes, and nothing else, until there is room', { timeout: 120_000 }, async () => {
    const disk = newDisk(24)
    const signed = { client_id: 'signed', client_secret: 'secret', scope: 'api1' }
    const victim = await createVictim(disk.folder, { ...settings, clients: [...settings.clients, signed] })
    await victim.start()
    onTestFinished(() => victim.kill())
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issue(victim)))
    const [kept = '', ...ended] = tokens

    disk.fill()
    let answer = await victim.post('/token', { ...machine, ...credentials })
    // What is left of pages and log takes some more.
    for (let tries = 0; tries < 5000 && answer.status === 200; tries++)
      answer = await victim.post('/token', { ...machine, ...credentials })
    expect([answer.status, answer.retryAfter]).toEqual([503, '1'])

    expect((await victim.post('/token', { ...credentials, client_id: 'signed', client_secret: 'secret' })).status).toBe(
      200,
    )
    expect((await victim.get('/jwks')).status).toBe(200)
    expect((await victim.get('/.well-known/openid-configuration')).status).toBe(200)
    expect(await isActive(victim, kept)).toBe(true)
    const revoked = await Promise.all(ended.map((token) => victim.post('/revoke', { ...machine, token })))
    expect(revoked.filter(({ status }) => status !== 200)).toEqual([])
    for (const token of ended.slice(0, 5)) expect(await isActive(victim, token)).toBe(false)
    expect(await isActive(victim, kept)).toBe(true)

    disk.free()
    const freed = performance.now()
    while ((await victim.post('/token', { ...machine, ...credentials })).status !== 200);
    expect(performance.now() - freed).toBeLessThan(1000)
    await victim.stop()
    const database = askDatabase(victim.database)
    onTestFinished(database.close)
    expect(database.damage()).toEqual([])
    for (const token of ended) expect(await database.isThere(`token ${token}`)).toBe(false)
  })

  it('lets a server start that has to revoke something', { timeout: 120_000 }, async () => {
    const disk = newDisk(24)
    const victim = await createVictim(disk.folder, settings)
    await victim.start()
    onTestFinished(() => victim.kill())
    const token = await issue(victim)
    disk.fill()
    await victim.kill()
    await victim.start()
    expect((await victim.post('/revoke', { ...machine, token })).status).toBe(200)
    expect(await isActive(victim, token)).toBe(false)
    expect((await victim.post('/token', { ...machine, ...credentials })).status).toBe(503)
  })

  it('has room for 10 000 revocations, each with its entry in the audit log', { timeout: 120_000 }, async () => {
    const disk = newDisk(24)
    const events: string[] = []
    const store = await openSqliteStore({
      file: join(disk.folder, 'holdfast.db'),
      report: ({ event }) => events.push(event),
    })
    onTestFinished(() => store.close())
    const { authorizationId: _, ...token } = { ...sampleReferenceToken, expires: 4_000_000_000 }
    const insert = (hash: string) => store.issue({ uses: [], referenceToken: { ...token, hash } })
    const hashes = Array.from({ length: 5000 }, (_each, index) => `${index}`.padStart(43, 'h'))
    await Promise.all(hashes.map(insert))
    disk.fill()
    let refused = 0
    for (let index = 0; index < 5000 && refused === 0; index++)
      await insert(`more ${index}`).catch(({ name }: Error) => {
        refused += Number(name === 'StoreUnavailable')
      })
    expect([refused, events]).toEqual([1, ['store_full', 'store_refused_changes']])

    const key = new Uint8Array(32)
    const told = { actor: 'client:machine', client: 'machine', subject: 'user:alice', address: '192.0.2.1' }
    const audit = { event: 'token_revoked', time: 1_800_000_000, node: 'node', key, ...told } as const
    for (const [index, hash] of hashes.entries()) {
      await store.audited({ verb: 'revokeReferenceToken', data: hash, audit })
      const jti = `${index}`.padStart(43, 'j')
      await store.audited({ verb: 'revokeJwt', data: { jti, expires: 4_000_000_000 }, audit })
    }
    expect((await store.listAuditHeads())[0]?.number).toBe(10_000)
    await expect(insert('other')).rejects.toMatchObject({ name: 'StoreUnavailable' })
    expect(events.filter((event) => event !== 'store_refused_changes')).toEqual(['store_full'])
  })
})
