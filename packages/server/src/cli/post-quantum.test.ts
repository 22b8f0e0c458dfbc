import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyTypes } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthorizationServer, createAuthorizationServer } from '../main.ts'
import { freeBase, holdfast, origin } from './command-line.fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
const home = process.cwd()
const run = (...args: string[]) => holdfast(directory, ...args)
const read = (name: string) => readFileSync(join(directory, name), 'utf8')
const kinds = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const

let server: AuthorizationServer
let issuer: string
beforeAll(async () => {
  await run('cert', 'new', '--name', 'localhost', '--server', '--dns', 'localhost', '--key-type', 'P-256')
  for (const kind of kinds) await run('cert', 'new', '--name', kind, '--key-type', kind)
  const base = await freeBase()
  issuer = origin(base + 1)
  const [certificate, key] = [read('localhost.pem'), read('localhost.key')]
  server = await createAuthorizationServer(
    {
      issuer,
      listen: { public: { port: base + 1, host: 'localhost', certificate, key }, mutualTls: { port: base + 2 } },
      mutualTls: { alwaysEmitConfirmationClaim: true },
      accessTokens: { algorithm: 'ML-DSA-65' },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
      clients: kinds.map((kind) => ({
        client_id: kind,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'AKP', ...createPublicKey(read(`${kind}.key`)).export({ format: 'jwk' }) }] },
        scope: 'api1',
      })),
    },
    { directory },
  )
  await server.listen()
})
afterAll(async () => {
  await server.close()
  process.chdir(home)
  rmSync(directory, { recursive: true, force: true })
})

const tokenOf = (kind: string, key = `${kind}.key`) =>
  run(
    ...['token', '--client', kind, '--issuer', issuer, '--ca', 'localhost.pem', '--assertion-key', key],
    ...['--cert', `${kind}.pem`, '--key', `${kind}.key`, '--scope', 'api1'],
  )

describe.each(kinds)('the command line with a key of %s', (kind) => {
  it('makes a certificate and says what it is', async () => {
    expect(createPrivateKey(read(`${kind}.key`)).asymmetricKeyType).toBe(kind.toLowerCase())
    const { code, out } = await run('cert', 'inspect', `${kind}.pem`)
    expect(code).toBe(0)
    expect(out).toContain(kind)
  })

  it('asks for a token with an assertion by it, as PEM or JWK, and verifies that', async () => {
    writeFileSync(
      join(directory, `${kind}.jwk`),
      JSON.stringify(createPrivateKey(read(`${kind}.key`)).export({ format: 'jwk' })),
    )
    for (const file of [`${kind}.key`, `${kind}.jwk`]) {
      const { code, out, err } = await tokenOf(kind, file)
      expect({ code, err: err.includes('holdfast:') }).toEqual({ code: 0, err: false })
      const inspected = await run(
        ...['inspect', out.trim(), '--issuer', issuer, '--ca', 'localhost.pem', '--cert', `${kind}.pem`, '--json'],
      )
      expect(inspected.code).toBe(0)
      expect(JSON.parse(inspected.out)).toMatchObject({
        header: { alg: 'ML-DSA-65' },
        signature: 'valid',
        certificate: { bound: true },
      })
    }
  })

  it.each([
    ['a shorter seed', { priv: 'A'.repeat(42) }],
    ['the expanded key', { priv: 'A'.repeat(3414) }],
    ['a seed of another pub', { priv: 'A'.repeat(43) }],
    ['no alg', { alg: undefined }],
    ['no pub', { pub: undefined }],
  ])('[RFC9964-4-1, RFC9964-7.3-1, RFC9964-7.4-1] exits 66 for a private JWK with %s', async (_, wrong) => {
    const jwk = createPrivateKey(read(`${kind}.key`)).export({ format: 'jwk' })
    writeFileSync(join(directory, 'wrong.jwk'), JSON.stringify({ ...jwk, ...wrong }))
    expect((await tokenOf(kind, 'wrong.jwk')).code).toBe(66)
  })

  it('says that a changed token is invalid', async () => {
    const token = (await tokenOf(kind)).out.trim()
    const at = token.lastIndexOf('.') + 100
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
    const { code, out } = await run('inspect', changed, '--issuer', issuer, '--ca', 'localhost.pem', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ signature: 'invalid' })
  })
})

describe('holdfast cert', () => {
  it('names every kind of key that there is, and refuses another with 2', async () => {
    const { code, err } = await run('cert', 'new', '--name', 'x', '--key-type', 'ML-DSA-66')
    expect(code).toBe(2)
    for (const kind of keyTypes) expect(err).toContain(kind)
  })
})
