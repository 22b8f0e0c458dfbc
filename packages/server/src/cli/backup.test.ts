import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const home = process.cwd()

describe('[F08] holdfast backup and restore', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  const file = (name: string) => join(directory, name)
  beforeAll(async () => {
    const base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    const listener = (port: number) => ({ port, host: 'localhost', certificate: 'as.pem', key: 'as.key' })
    const settings = {
      issuer: origin(base + 1),
      listen: { public: listener(base + 1), mutualTls: listener(base + 2) },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
    }
    writeFileSync(file('holdfast.yaml'), JSON.stringify(settings))
  })
  afterAll(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })

  const clients = async () =>
    JSON.parse((await holdfast(directory, 'client', 'list', '--json')).out).clients.map(
      (each: { client_id: string }) => each.client_id,
    )

  it('copies while a server runs, into a file for its owner only, and says which key goes with it', async () => {
    const server = start(directory, 'serve')
    await untilPrints(server, '"event":"listening"')
    await holdfast(directory, 'client', 'add', 'shop', '--scope', 'api1')
    const { code, out, err } = await holdfast(directory, 'backup', 'copy.db')
    expect([code, err]).toEqual([0, expect.stringContaining('holdfast.db.key')])
    expect(out).toMatch(/copy\.db: \d+ kB, sound\./)
    expect(statSync(file('copy.db')).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory).filter((name) => name.startsWith('copy.db-'))).toEqual([])
    expect(await stop(server)).toBe(0)
  })

  it('does not write over a file', async () => {
    const { code, err } = await holdfast(directory, 'backup', 'copy.db')
    expect([code, err]).toEqual([66, expect.stringContaining('there already')])
  })

  it('says that the folder of the copy is missing', async () => {
    const { code, err } = await holdfast(directory, 'backup', 'nowhere/copy.db')
    expect([code, err]).toEqual([
      66,
      expect.stringMatching(/nowhere.copy\.db\.partial cannot be made.*or name another file\.\n$/),
    ])
  })

  it('does not follow a link that somebody has laid there', async () => {
    symlinkSync(file('elsewhere.db'), file('link.db'))
    const { code, err } = await holdfast(directory, 'backup', 'link.db')
    expect([code, err]).toEqual([66, expect.stringContaining('there already')])
    expect(existsSync(file('elsewhere.db'))).toBe(false)
  })

  it('does not restore under a running server, and says whose it is', async () => {
    const server = start(directory, 'serve')
    await untilPrints(server, '"event":"listening"')
    const { code, err } = await holdfast(directory, 'restore', 'copy.db')
    expect([code, err]).toEqual([69, expect.stringContaining(String(server.pid))])
    expect(await stop(server)).toBe(0)
  })

  it('restores what was there, keeps what is there now, and ends what was under way', async () => {
    await holdfast(directory, 'client', 'add', 'later', '--scope', 'api1')
    expect(await clients()).toEqual(['later', 'shop'])
    const { code, err } = await holdfast(directory, 'restore', 'copy.db')
    expect([code, err]).toEqual([0, expect.stringMatching(/have ended[\s\S]*signing keys .* revoke again/)])
    expect(await clients()).toEqual(['shop'])
    expect(readdirSync(directory).some((name) => name.startsWith('holdfast.db.before-restore-'))).toBe(true)
    expect(restoredIn(file('holdfast.db'))).toBeGreaterThan(1_700_000_000)
  })

  it('keeps proofs and assertions used that were used since, and survives a database that cannot say which', async () => {
    const usesIn = (name: string) => {
      const database = new DatabaseSync(file(name), { readOnly: true })
      const uses = database.prepare('select kind, key, expires from single_use').all()
      database.close()
      return uses
    }
    const use = { kind: 'proof', key: 'since', expires: 4_000_000_000 }
    const database = new DatabaseSync(file('holdfast.db'))
    database.prepare('insert into single_use (kind, key, expires) values (:kind, :key, :expires)').run(use)
    database.close()
    expect((await holdfast(directory, 'restore', 'copy.db')).code).toBe(0)
    expect(usesIn('holdfast.db').map((each) => ({ ...each }))).toEqual([use])
    writeFileSync(file('holdfast.db'), 'damaged')
    expect((await holdfast(directory, 'restore', 'copy.db')).code).toBe(0)
    expect(usesIn('holdfast.db')).toEqual([])
  })

  it('lets it live again where the operator says so', async () => {
    const { code, err } = await holdfast(directory, 'restore', 'copy.db', '--keep-tokens')
    expect([code, err]).toEqual([0, expect.stringContaining('valid again')])
    expect(restoredIn(file('holdfast.db'))).toBe(null)
  })

  it.each([
    ['is not there', 'missing.db'],
    ['is no database', 'holdfast.yaml'],
    ['is cut off', 'cut.db'],
  ])('does not restore a file that %s, and leaves the database as it is', async (_, name) => {
    writeFileSync(file('cut.db'), readFileSync(file('copy.db')).subarray(0, 20_000))
    const { code } = await holdfast(directory, 'restore', name)
    expect(code).toBe(66)
    expect(await clients()).toEqual(['shop'])
    expect(readdirSync(directory).filter((each) => each.includes('.restoring'))).toEqual([])
  })
})

function restoredIn(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return database.prepare('select restored from state').get()?.restored
  } finally {
    database.close()
  }
}
