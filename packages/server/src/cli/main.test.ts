import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdfast } from './command-line.fixture.ts'

const directories: string[] = []
const home = process.cwd()

afterAll(() => {
  process.chdir(home)
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

describe('holdfast, whatever the command', () => {
  const directory = newDirectory()

  it('prints every command and exit code when it is asked for help', async () => {
    const { code, out } = await holdfast(directory, '--help')
    expect(code).toBe(0)
    const names = ['demo', 'dev', 'serve', 'token', 'login', 'logout', 'call', 'steal', 'inspect']
    for (const name of [...names, 'cert', 'client', 'key', 'config']) expect(out).toContain(`\n  ${name} `)
    expect(out).toMatch(/Exit codes:\n +0 +done/)
  })

  it('exits 2 for a command that there is not, and names the one that was meant', async () => {
    const { code, err } = await holdfast(directory, 'tokn')
    expect(code).toBe(2)
    expect(err).toContain('token')
  })

  it('exits 2 for an option that there is not', async () => {
    expect((await holdfast(directory, 'token', '--client', 'client', '--nope')).code).toBe(2)
  })

  it('exits 78 for settings that are not there, and says so once', async () => {
    const { code, err } = await holdfast(directory, 'config', 'check', '--config', 'nowhere.yaml')
    expect({ code, err }).toEqual({
      code: 78,
      err: `holdfast: ${join(directory, 'nowhere.yaml')}: there is no such file.\n`,
    })
  })

  it('exits 66 for a file that is not there, in one sentence', async () => {
    const { code, err } = await holdfast(directory, 'cert', 'thumbprint', 'nowhere.pem')
    expect({ code, err }).toEqual({ code: 66, err: 'holdfast: nowhere.pem cannot be read: there is no such file.\n' })
  })

  it('exits 69 where no server answers', async () => {
    const { code } = await holdfast(directory, 'token', '--client', 'client', '--issuer', 'https://localhost:1')
    expect(code).toBe(69)
  })
})

describe('holdfast config', () => {
  const directory = newDirectory()
  const settings = {
    issuer: 'https://as.example.com',
    listen: { public: { port: 4431, certificate: 'as.pem', key: 'as.key' }, mutualTls: { port: 4432 } },
    mutualTls: { trustGroups: { stores: { ca: 'as.pem' } } },
    apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
    clients: [{ client_id: 'client', client_secret: 'top-secret-value', scope: 'api1' }],
  }

  beforeAll(async () => {
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
  })

  const write = (change: object) => {
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify({ ...settings, ...change }))
  }

  it('takes settings that can be used', async () => {
    write({})
    expect((await holdfast(directory, 'config', 'check')).code).toBe(0)
  })

  it.each([
    ['an unknown key', { isuer: 'x' }, 'isuer'],
    ['a wrong value', { issuer: 'http://as.example.com' }, 'issuer'],
    [
      'a scope that no API has',
      { clients: [{ client_id: 'a', client_secret: 'b', scope: 'nope' }] },
      'clients[0].scope',
    ],
    ['a file that is not there', { mutualTls: { trustGroups: { stores: { ca: 'nowhere.pem' } } } }, 'nowhere.pem'],
    ['a layout that conflicts', { layout: 'single' }, 'listen.mutualTls'],
  ])('exits 78 for %s, in one sentence that names it', async (_, change, named) => {
    write(change)
    for (const command of [['serve'], ['config', 'check']]) {
      const { code, err } = await holdfast(directory, ...command)
      expect(code).toBe(78)
      expect(err.trimEnd().split('\n')).toHaveLength(1)
      expect(err).toContain(named)
    }
  })

  it('exits 78 for a file that is no YAML, and says where', async () => {
    writeFileSync(join(directory, 'broken.yaml'), 'issuer: "https://as.example.com\nlisten: {')
    const { code, err } = await holdfast(directory, 'config', 'check', '--config', 'broken.yaml')
    expect(code).toBe(78)
    expect(err).toMatch(/broken\.yaml:\d+:\d+/)
  })

  it('exits 78 where there are no settings', async () => {
    expect((await holdfast(newDirectory(), 'serve')).code).toBe(78)
  })

  it('reads settings from a module too', async () => {
    writeFileSync(join(directory, 'settings.mjs'), `export default ${JSON.stringify(settings)}`)
    expect((await holdfast(directory, 'config', 'check', '--config', 'settings.mjs')).code).toBe(0)
  })

  it('prints settings without their secrets, and says where revocation is off', async () => {
    write({})
    for (const format of [[], ['--json']]) {
      const { out } = await holdfast(directory, 'config', 'print', ...format)
      expect(out).not.toContain('top-secret-value')
      expect(out).toContain('[redacted]')
      expect(out).toContain('mutualTls.trustGroups.stores: revocation is off')
    }
  })

  it.each([
    ['an @ in it', 'postgres://holdfast:horse@battery@db/holdfast'],
    ['a parameter', 'postgres://db/holdfast?user=holdfast&password=battery'],
  ])('prints no password of a database, with %s', async (_, postgres) => {
    write({ store: { postgres }, keys: { encryptionKey: 'holdfast.key' } })
    const { code, out } = await holdfast(directory, 'config', 'print')
    expect(code).toBe(0)
    expect(out).not.toContain('battery')
  })

  it('prints no private key, wherever one is written', async () => {
    const { certificate, key } = await createClientCertificate({ name: 'as', keyType: 'P-256' })
    const { listen } = settings
    const open = { ...listen.public, certificate: certificate + key, key }
    write({
      listen: { ...listen, public: open },
      mutualTls: { trustGroups: { stores: { ca: key + certificate } } },
      outbound: { ca: key + certificate },
    })
    for (const format of [[], ['--json']]) {
      const { code, out } = await holdfast(directory, 'config', 'print', ...format)
      expect(code).toBe(0)
      expect(out).not.toContain('PRIVATE KEY')
    }
  })

  it('prints a JSON Schema', async () => {
    expect(JSON.parse((await holdfast(directory, 'config', 'schema')).out)).toHaveProperty('properties.issuer')
  })
})

describe('holdfast cert', () => {
  const directory = newDirectory()

  it('makes a CA and a certificate below it, and does not overwrite them', async () => {
    expect((await holdfast(directory, 'cert', 'ca', '--name', 'Test CA', '--out', 'ca')).code).toBe(0)
    const leaf = ['cert', 'new', '--name', 'CN=till,O=Example', '--ca', 'ca.pem', '--ca-key', 'ca.key']
    const made = await holdfast(directory, ...leaf, '--json')
    expect(JSON.parse(made.out)).toMatchObject({
      certificate: 'till.pem',
      key: 'till.key',
      subject: 'CN=till,O=Example',
    })
    expect(statSync(join(directory, 'till.key')).mode & 0o777).toBe(0o600)
    expect((await holdfast(directory, ...leaf)).code).toBe(1)
  })

  it('prints the thumbprint of cnf first', async () => {
    const { out } = await holdfast(directory, 'cert', 'thumbprint', 'till.pem', '--json')
    expect(JSON.parse(out)[0]).toMatchObject({ name: 'base64url', use: 'x5t#S256' })
  })
})

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  directories.push(directory)
  return directory
}
