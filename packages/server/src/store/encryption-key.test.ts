import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runInChild } from './child-process.fixture.ts'
import { loadEncryptionKey, loadEncryptionKeys } from './encryption-key.ts'
import { temporaryFile } from './temporary-store.fixture.ts'

describe('the encryption key', () => {
  it('is read as it was written', () => {
    const file = temporaryFile(onTestFinished)
    writeFileSync(file, `${Buffer.alloc(32, 7).toString('base64url')}\n`)
    expect(loadEncryptionKey(file)).toEqual(new Uint8Array(32).fill(7))
  })

  it('is made when it is not there, for its owner only, and stays', () => {
    const file = temporaryFile(onTestFinished)
    const key = loadEncryptionKey(file)
    expect(key).toHaveLength(32)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(loadEncryptionKey(file)).toEqual(key)
  })

  it('differs from file to file', () => {
    const file = temporaryFile(onTestFinished)
    expect(loadEncryptionKey(`${file}.one`)).not.toEqual(loadEncryptionKey(`${file}.two`))
  })

  it.each([
    { wrong: 'too short', text: Buffer.alloc(31).toString('base64url') },
    { wrong: 'too long', text: Buffer.alloc(33).toString('base64url') },
    { wrong: 'in another encoding', text: Buffer.alloc(32).toString('base64') },
    { wrong: 'empty', text: '' },
  ])('refuses one that is $wrong, and leaves the file alone', ({ text }) => {
    const file = temporaryFile(onTestFinished)
    writeFileSync(file, text)
    expect(() => loadEncryptionKey(file)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  it('is one for all processes that make it at the same time', async () => {
    const file = temporaryFile(onTestFinished)
    const module = JSON.stringify(new URL('./encryption-key.ts', import.meta.url))
    const script = `const { loadEncryptionKey } = await import(${module})
      console.log(Buffer.from(loadEncryptionKey(${JSON.stringify(file)})).toString('hex'))`
    const keys = await Promise.all(Array.from({ length: 4 }, () => runInChild(onTestFinished, script).line()))
    expect(new Set(keys)).toEqual(new Set([Buffer.from(loadEncryptionKey(file)).toString('hex')]))
  })
})

describe('several encryption keys', () => {
  const write = (file: string, byte: number) => writeFileSync(file, Buffer.alloc(32, byte).toString('base64url'))
  const files = () => {
    const encryptionKey = temporaryFile(onTestFinished)
    return { encryptionKey, otherEncryptionKeys: [`${encryptionKey}.other`], rotateEvery: 90, signer: 'own' as const }
  }

  it('are read in their order', () => {
    const keys = files()
    write(keys.encryptionKey, 1)
    write(`${keys.encryptionKey}.other`, 2)
    expect(loadEncryptionKeys(keys).map(([byte]) => byte)).toEqual([1, 2])
  })

  it.each(['', '.other'])('must all be there: none is made', (missing) => {
    const keys = files()
    write(keys.encryptionKey + (missing === '' ? '.other' : ''), 1)
    expect(() => loadEncryptionKeys(keys)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
    expect(existsSync(keys.encryptionKey + missing)).toBe(false)
  })

  it('must all be of 32 bytes', () => {
    const keys = files()
    write(keys.encryptionKey, 1)
    writeFileSync(`${keys.encryptionKey}.other`, 'short')
    expect(() => loadEncryptionKeys(keys)).toThrow(expect.objectContaining({ name: 'SettingsError' }))
  })
})
