import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthorizationServer } from '../main.ts'
import { parseSettings, SettingsError, type SettingsInput } from '../settings.ts'
import { readFiles } from './files.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-files-'))
let settings: SettingsInput

beforeAll(async () => {
  const { certificate, key } = await createClientCertificate({ name: 'localhost' })
  settings = {
    issuer: 'https://localhost:5001',
    listen: { public: { port: 5001, certificate, key }, mutualTls: { port: 5002 } },
    apis: [{ identifier: 'https://api.example.com', scopes: ['orders'] }],
  }
})

afterAll(() => rmSync(directory, { recursive: true }))

describe('the logo', () => {
  it.each([
    ['logo.png', 'image/png'],
    ['logo.SVG', 'image/svg+xml'],
  ])('%s becomes a data: URL of %s', (name, type) => {
    expect(logoOf(name, Buffer.from('image'))).toBe(`data:${type};base64,aW1hZ2U=`)
  })

  it('has at most 64 KiB', () => {
    expect(() => logoOf('logo.png', Buffer.alloc(65_536))).not.toThrow()
    expect(() => logoOf('logo.png', Buffer.alloc(65_537))).toThrow(SettingsError)
  })

  it.each(['logo.html', 'logo', 'logo.png.js'])('is refused as %s', (name) => {
    expect(() => logoOf(name, Buffer.from('image'))).toThrow(/^pages\.logo/)
  })

  it('is refused when it is not there', () => {
    expect(() => readFiles(parseSettings({ ...settings, pages: { logo: 'none.png' } }), directory)).toThrow(
      /^pages\.logo/,
    )
  })
})

describe('the address of a database that is mistyped', () => {
  it.each([
    ['store', { store: { postgres: 'postgres://holdfast:top/secret@db/holdfast' }, keys: { encryptionKey: 'key' } }],
    ['replay', { replay: { redis: ['valkey://holdfast:top/secret@db'] } }],
  ])('of %s is not told', (where, changes) => {
    const reading = () => readFiles(parseSettings({ ...settings, ...changes }), directory)
    expect(reading).toThrow(new RegExp(`^${where}\\.[^:]*: is no address`))
    expect(reading).not.toThrow(/secret/)
  })
})

describe('people of the application', () => {
  it('do not stand beside people of the settings', async () => {
    const people = { authenticate: async () => undefined, find: async () => undefined }
    const written = { ...settings, people: { directory: [{ username: 'alice', password: 'alice' }] } }
    await expect(createAuthorizationServer(written, { directory, people })).rejects.toThrow(/^people\.directory/)
  })
})

function logoOf(name: string, bytes: Buffer): string | undefined {
  writeFileSync(join(directory, name), bytes)
  return readFiles(parseSettings({ ...settings, pages: { logo: name } }), directory).pages.logo
}
