import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin } from './command-line.fixture.ts'

const home = process.cwd()

describe('[F29] holdfast serve with settings that are wrong', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-settings-'))
  let base = 0
  beforeAll(async () => {
    base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    writeFileSync(join(directory, 'empty.pem'), '')
  })
  afterAll(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })

  const right = () => ({
    issuer: origin(base + 1),
    listen: {
      public: { port: base + 1, host: 'localhost', certificate: 'as.pem', key: 'as.key' },
      mutualTls: { port: base + 2, host: 'localhost', certificate: 'as.pem', key: 'as.key' },
    },
    mutualTls: { trustGroups: { staff: { ca: 'as.pem' } } },
    dpop: { nonces: 'off', proofsPerMinute: 1000 },
    accessTokens: { format: 'jwt', lifetime: 3600 },
    apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
    clients: [
      { client_id: 'client', client_secret: 'secret', scope: 'api1' },
      {
        client_id: 'device',
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'device.test',
        trust_group: 'staff',
        scope: 'api1',
      },
    ],
    store: { file: 'holdfast.db' },
    operations: { port: base + 3 },
    keys: { rotateEvery: 90 },
    limits: { requestsPerAddress: 100, connections: 100 },
    log: { level: 'info' },
  })

  /** Refused with exit code 78 and one sentence that names the key; nothing was opened, and nothing made. */
  async function requireRefused(settings: unknown, key: string): Promise<string> {
    writeFileSync(join(directory, 'wrong.yaml'), JSON.stringify(settings))
    const { code, out, err } = await holdfast(directory, 'serve', '--config', 'wrong.yaml')
    expect([code, out]).toEqual([78, ''])
    expect(err).toContain(key)
    expect(err.trim()).toMatch(/^[^\n]{10,500}\.$/)
    const opened = await Promise.all([base + 1, base + 2, base + 3].map(isOpen))
    expect(opened).toEqual([false, false, false])
    for (const file of ['holdfast.db', 'holdfast.db.key', 'holdfast.sock'])
      expect(existsSync(join(directory, file))).toBe(false)
    return err
  }

  it('starts where they are right, up to the check', async () => {
    writeFileSync(join(directory, 'right.yaml'), JSON.stringify(right()))
    const { code } = await holdfast(directory, 'config', 'check', '--config', 'right.yaml')
    expect(code).toBe(0)
  })

  const places = leavesOf(right())
  it.each(places.map((path) => [path.join('.'), path] as const))('names %s', async (_, path) => {
    const value = at(right(), path)
    const wrongs = [null, {}, [], typeof value === 'string' ? 5 : 'nonsense', typeof value === 'number' ? -1 : true]
    for (const wrong of wrongs) {
      const settings: unknown = structuredClone(right())
      set(settings, path, wrong)
      await requireRefused(settings, String(path.findLast((part) => !/^\d+$/.test(part))))
    }
  })

  const client = (index: number, change: object) => {
    const settings = right()
    return {
      ...settings,
      clients: settings.clients.map((each, place) => (place === index ? { ...each, ...change } : each)),
    }
  }
  it.each<[string, () => object, string, RegExp]>([
    ['an unknown key', () => ({ ...right(), isuer: 'x' }), 'isuer', /unknown|no such|not known|there is no/i],
    ['an issuer over http', () => ({ ...right(), issuer: 'http://localhost' }), 'issuer', /https/],
    [
      'a CA that is an empty text',
      () => ({ ...right(), mutualTls: { trustGroups: { staff: { ca: '' } } } }),
      'mutualTls.trustGroups.staff.ca',
      /./,
    ],
    [
      'a CA file that is empty',
      () => ({ ...right(), mutualTls: { trustGroups: { staff: { ca: 'empty.pem' } } } }),
      'mutualTls.trustGroups.staff.ca',
      /certificate/,
    ],
    ['a client of a CA without one', () => client(1, { trust_group: undefined }), 'trust_group', /./],
    ['a client of a CA that is not there', () => client(1, { trust_group: 'none' }), 'trust_group', /none/],
    ['two secrets', () => client(0, { client_secret_hash: `sha256:${'A'.repeat(43)}` }), 'client_secret', /./],
    ['one listener, and settings of two', () => ({ ...right(), layout: 'single' }), 'listen.mutualTls', /./],
    [
      'both databases',
      () => ({ ...right(), store: { file: 'holdfast.db', postgres: 'postgres://h@localhost/h' } }),
      'store.file',
      /Give one/,
    ],
    [
      'PostgreSQL without an encryption key',
      () => ({ ...right(), store: { postgres: 'postgres://h@localhost/h' } }),
      'keys.encryptionKey',
      /./,
    ],
    [
      'Redis at an address that is none',
      () => ({ ...right(), replay: { redis: ['http://localhost'] } }),
      'replay.redis',
      /redis/,
    ],
    [
      'a key file that is empty',
      () => {
        const { listen, ...rest } = right()
        return { ...rest, listen: { ...listen, public: { ...listen.public, key: 'empty.pem' } } }
      },
      'listen.public',
      /key/,
    ],
  ])('refuses %s, and says what to do', async (_, settings, key, says) => {
    expect(await requireRefused(settings(), key)).toMatch(says)
  })

  it('refuses what is no YAML', async () => {
    writeFileSync(join(directory, 'wrong.yaml'), 'issuer: [')
    const { code, err } = await holdfast(directory, 'serve', '--config', 'wrong.yaml')
    expect([code, err.includes('wrong.yaml')]).toEqual([78, true])
  })
})

type Path = readonly string[]

function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, each]) => leavesOf(each, [...path, name]))
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inner: unknown, part) => Reflect.get(Object(inner), part), value)
}

function set(value: unknown, path: Path, to: unknown): void {
  Reflect.set(Object(at(value, path.slice(0, -1))), path.at(-1) ?? '', to)
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
