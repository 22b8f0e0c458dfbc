import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { generateProofKey } from '../proof-key.ts'
import { type KeptSignIn, keyFile } from './key-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-key-file-'))
const lock = { key: new Uint8Array(32).fill(1) }
const kept: KeptSignIn = { issuer: 'https://as.example', client_id: 'c', scope: 'openid', refresh_token: 'r' }
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('a key file with a key of proofs', () => {
  it.each(['ES256', 'Ed25519', 'ML-DSA-44'] as const)('gives back the same key: %s', async (alg) => {
    const key = await generateProofKey(alg)
    const file = join(directory, alg)
    const proofKey = { alg, key: String(key.export({ type: 'pkcs8', format: 'pem' })) }
    await keyFile(file, lock).write({ ...kept, proofKey })
    const found = await keyFile(file, lock).read()
    expect(found).toEqual({ ...kept, proofKey })
    expect(createPrivateKey(found?.proofKey?.key ?? '').equals(key)).toBe(true)
    expect(readFileSync(file, 'utf8')).not.toMatch(/PRIVATE|openid/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it.each<[string, unknown]>([
    ['an algorithm that is not known', { alg: 'none', key: 'pem' }],
    ['no algorithm', { key: 'pem' }],
    ['no key', { alg: 'ES256' }],
    ['a text', 'pem'],
    ['null', null],
  ])('is none when that has %s', async (name, proofKey) => {
    const file = join(directory, name)
    const wrong: object = { ...kept, proofKey }
    await keyFile(file, lock).write(wrong as KeptSignIn)
    await expect(keyFile(file, lock).read()).rejects.toMatchObject({ reason: 'key_file_unusable' })
  })
})
