import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const home = process.cwd()

describe('holdfast key reseal', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  const file = (name: string) => join(directory, name)
  let base: number
  const write = (keys: object) => {
    const listener = (port: number) => ({ port, host: 'localhost', certificate: 'as.pem', key: 'as.key' })
    const settings = {
      issuer: origin(base + 1),
      listen: { public: listener(base + 1), mutualTls: listener(base + 2) },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
      keys,
    }
    writeFileSync(file('holdfast.yaml'), JSON.stringify(settings))
  }
  beforeAll(async () => {
    base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    write({})
    expect((await holdfast(directory, 'key', 'list')).code).toBe(0)
    writeFileSync(file('fresh.key'), `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  })
  afterAll(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })
  const swapped = { encryptionKey: 'fresh.key', otherEncryptionKeys: ['holdfast.db.key'] }

  it('seals again what the server that runs has sealed under another key, of which its start warns', async () => {
    write(swapped)
    const server = start(directory, 'serve')
    const warned = untilPrints(server, '"event":"keys_not_resealed"')
    await untilPrints(server, '"event":"listening"')
    await warned
    const { code, out } = await holdfast(directory, 'key', 'reseal')
    expect([code, out]).toEqual([0, expect.stringMatching(/^Encrypted anew: 3\. .*fresh\.key\.\nNothing is/)])
    expect(await stop(server)).toBe(0)
  })

  it('does nothing the second time', async () => {
    const { code, out } = await holdfast(directory, 'key', 'reseal', '--json')
    expect([code, JSON.parse(out)]).toEqual([0, { resealed: 0, left: [], encryptionKey: file('fresh.key') }])
  })

  it.each([
    ['a key that replaces another', { encryptionKey: 'missing.key', otherEncryptionKeys: ['fresh.key'] }],
    ['a key that was replaced', { encryptionKey: 'fresh.key', otherEncryptionKeys: ['missing.key'] }],
  ])('exits 78 without the file of %s, and makes none', async (_, keys) => {
    write(keys)
    for (const words of [
      ['key', 'list'],
      ['config', 'check'],
    ]) {
      const { code, err } = await holdfast(directory, ...words)
      expect([code, err]).toEqual([78, expect.stringContaining('missing.key')])
    }
    expect(existsSync(file('missing.key'))).toBe(false)
  })

  it('rotation says when APIs may not know the key yet that signs now', async () => {
    write(swapped)
    const { code, err } = await holdfast(directory, 'key', 'rotate')
    expect([code, err]).toEqual([0, expect.stringContaining('less than a minute ago')])
  })

  it('leaves nothing that needs the old key', async () => {
    renameSync(file('holdfast.db.key'), file('kept.key'))
    write({ encryptionKey: 'fresh.key' })
    expect((await holdfast(directory, 'key', 'list')).code).toBe(0)
    write({ encryptionKey: 'kept.key' })
    const { code, err } = await holdfast(directory, 'key', 'list')
    expect([code, err]).toEqual([78, expect.stringContaining('keys.encryptionKey')])
  })
})

describe('holdfast key, where the application brings its signer', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  beforeAll(async () => {
    const base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    const listener = { port: base + 1, host: 'localhost', certificate: 'as.pem', key: 'as.key' }
    const settings = {
      issuer: origin(base + 1),
      layout: 'single',
      listen: { public: listener },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
      keys: { signer: 'application' },
    }
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(settings))
  })
  afterAll(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })

  it('leaves signing keys alone; clients can be added', async () => {
    expect((await holdfast(directory, 'client', 'add', 'shop', '--scope', 'api1')).code).toBe(0)
    const { code, err } = await holdfast(directory, 'key', 'rotate')
    expect([code, err]).toEqual([1, expect.stringContaining('the application brings its own signer')])
    const database = new DatabaseSync(join(directory, 'holdfast.db'), { readOnly: true })
    expect(database.prepare('select count(*) as count from signing_key').get()).toEqual({ count: 0 })
    database.close()
  })

  it('serves only from the application: exit 78', async () => {
    const server = start(directory, 'serve')
    const [code] = await once(server, 'exit')
    expect(code).toBe(78)
  })
})
