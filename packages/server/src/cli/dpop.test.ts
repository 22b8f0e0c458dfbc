import type { ChildProcess } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseJwt } from '@holdfast/pop'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
const home = process.cwd()
const run = (...args: string[]) => holdfast(directory, ...args)
const getToken = (...args: string[]) =>
  run('token', '--client', 'client', '--secret', 'secret', '--scope', 'api1', ...args)
const inFolder = (name: string) => join(directory, name)
const sessionFiles = () => readdirSync(inFolder('.holdfast/session')).toSorted()

let dev: ChildProcess
let api: string
let issuer: string

beforeAll(async () => {
  const base = await freeBase()
  dev = start(directory, 'dev', '--json', '--port-base', String(base))
  await untilPrints(dev, '"issuer"')
  issuer = origin(base + 1)
  api = origin(base + 3)
})
afterAll(async () => {
  await stop(dev)
  process.chdir(home)
  rmSync(directory, { recursive: true, force: true })
})

describe('holdfast token --dpop', () => {
  it('gets a token that is bound to a key made on the fly, which call proves without a flag', async () => {
    const { code, out } = await getToken('--dpop', '--json')
    expect(code).toBe(0)
    const kept = JSON.parse(out)
    expect(kept).toMatchObject({ token_type: 'DPoP', cnf: { jkt: kept.jkt }, alg: 'ES256' })
    const called = await run('call', `${api}/identity`, '--json')
    expect(called.code).toBe(0)
    expect(JSON.parse(called.out).body.claims.cnf).toEqual({ jkt: kept.jkt })
  })

  it('keeps the key for its owner only, and no certificate beside it', async () => {
    await getToken()
    await getToken('--dpop')
    expect(sessionFiles()).toEqual(['dpop-key.jwk', 'session.json', 'token'])
    expect(statSync(inFolder('.holdfast/session/dpop-key.jwk')).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(inFolder('.holdfast/session/dpop-key.jwk'), 'utf8'))).toHaveProperty('d')
  })

  it('leaves no DPoP key beside a certificate', async () => {
    await getToken('--dpop')
    await getToken()
    expect(sessionFiles()).toEqual(['certificate.pem', 'key.pem', 'session.json', 'token'])
  })

  it.each(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'])('signs proofs by %s', async (alg) => {
    const { out } = await getToken('--dpop', '--alg', alg, '--json')
    expect(JSON.parse(out)).toMatchObject({ token_type: 'DPoP', alg })
    expect((await run('call', `${api}/identity`)).code).toBe(0)
  })

  it.each<[string, () => KeyObject, 'pem' | 'jwk', string]>([
    ['a PEM of P-256', () => ec('P-256'), 'pem', 'ES256'],
    ['a JWK of Ed25519', () => generateKeyPairSync('ed25519').privateKey, 'jwk', 'EdDSA'],
    ['a PEM of RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'pem', 'PS256'],
    ['a PEM of ML-DSA', () => generateKeyPairSync('ml-dsa-44').privateKey, 'pem', 'ML-DSA-44'],
  ])('takes a key of your own: %s', async (_, make, format, alg) => {
    writeKey('own.key', make(), format)
    const { out } = await getToken('--dpop-key', 'own.key', '--json')
    expect(JSON.parse(out)).toMatchObject({ token_type: 'DPoP', dpopKey: 'own.key', alg })
    expect(sessionFiles()).toEqual(['session.json', 'token'])
    expect((await run('call', `${api}/identity`)).code).toBe(0)
    expect((await run('inspect', '--dpop-key', 'own.key')).code).toBe(0)
  })

  it.each([
    ['mtls', ['--cert', '.holdfast/tls/mtls.pem', '--key', '.holdfast/tls/mtls.key']],
    ['assertion', ['--assertion-key', '.holdfast/assertion.key']],
    ['reference', ['--secret', 'secret']],
  ])('goes with every way to authenticate: the client %s', async (client, credentials) => {
    const { code, out } = await run('token', '--client', client, '--scope', 'api1', '--dpop', '--json', ...credentials)
    expect({ code, type: JSON.parse(out).token_type }).toEqual({ code: 0, type: 'DPoP' })
    expect((await run('call', `${api}/identity`)).code).toBe(0)
    expect((await run('steal')).code).toBe(0)
  })

  it.each([
    ['a key that no server takes', 2, ['--dpop', '--alg', 'RS256']],
    ['an algorithm without a key', 2, ['--alg', 'ES256']],
    ['a proof and no binding', 2, ['--dpop', '--unbound']],
    ['a key that is not there', 66, ['--dpop-key', 'nowhere.jwk']],
    ['a key that is a certificate', 66, ['--dpop-key', '.holdfast/tls/ca.pem']],
    ['a key that is for another algorithm', 66, ['--dpop-key', '.holdfast/assertion.key', '--alg', 'ES384']],
  ])('does not take %s', async (_, code, args) => {
    expect((await getToken(...args)).code).toBe(code)
  })
})

describe('holdfast token for a public client', () => {
  it('exits 1, and says that somebody signs in', async () => {
    const { code, err } = await run('token', '--client', 'native', '--dpop')
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('holdfast login --client native') })
  })
})

describe('holdfast call with a DPoP-bound token', () => {
  it('knows the key of a token that is not the newest, and asks for one that it does not know', async () => {
    const { out } = await getToken('--dpop', '--json')
    const { access_token: token, dpopKey } = JSON.parse(out)
    writeFileSync(inFolder('old.jwk'), readFileSync(inFolder(dpopKey)), { mode: 0o600 })
    await getToken('--dpop')
    const without = await run('call', `${api}/identity`, '--token', token)
    expect(without.code).toBe(2)
    expect(without.err).toContain('--dpop-key')
    expect((await run('call', `${api}/identity`, '--token', token, '--dpop-key', 'old.jwk')).code).toBe(0)
  })

  it('says which key made the proof, when it was another', async () => {
    await getToken('--dpop')
    writeKey('other.key', ec('P-256'), 'pem')
    const { code, err } = await run('call', `${api}/identity`, '--dpop-key', 'other.key')
    expect(code).toBe(1)
    expect(err).toContain('made the proof')
  })

  it.each([
    ['a certificate for a DPoP-bound token', ['--dpop'], ['--cert', 'a.pem', '--key', 'a.key'], 'leave --cert'],
    ['a proof for a certificate-bound token', [], ['--dpop'], 'leave --dpop out'],
    ['a key for a certificate-bound token', [], ['--dpop-key', 'other.key'], 'leave --dpop out'],
    ['a proof for a token that is bound to nothing', ['--unbound'], ['--dpop'], 'no DPoP key here'],
  ])('explains a flag that contradicts the session: %s', async (_, asked, args, says) => {
    await getToken(...asked)
    const { code, err } = await run('call', `${api}/identity`, ...args)
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(says) })
  })

  it('shows a certificate and a proof when both are asked for', async () => {
    await getToken('--dpop')
    const pair = ['--cert', '.holdfast/tls/mtls.pem', '--key', '.holdfast/tls/mtls.key']
    expect((await run('call', `${api}/identity`, '--dpop', ...pair)).code).toBe(0)
  })

  describe('at an API that asks for a nonce', () => {
    let server: Server | undefined
    afterEach(() => server?.close())

    it('[RFC9449-9] brings it the second time, with the body again, and no third time', async () => {
      await getToken('--dpop')
      const seen: unknown[] = []
      const tls = (name: string) => readFileSync(inFolder(`.holdfast/tls/${name}`))
      server = createServer({ key: tls('server.key'), cert: tls('server.pem') }, async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        const { htm, nonce } = parseJwt(String(request.headers.dpop))?.claims ?? {}
        seen.push([htm, nonce, body])
        const nonces = { 'dpop-nonce': `nonce-${seen.length}`, 'www-authenticate': 'DPoP error="use_dpop_nonce"' }
        response.writeHead(401, nonces).end()
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const { code } = await run('call', `${origin(port)}/orders`, '-X', 'POST', '-d', 'one=1')
      expect({ code, seen }).toEqual({
        code: 1,
        seen: [
          ['POST', undefined, 'one=1'],
          ['POST', 'nonce-1', 'one=1'],
        ],
      })
    })
  })
})

describe('holdfast steal with a DPoP-bound token', () => {
  const dpopThefts = ['no proof', 'as Bearer', 'foreign key', 'replayed proof', 'other address', 'other method']

  it('exits 0 when the API refuses every theft', async () => {
    await getToken('--dpop')
    const { code, out } = await run('steal', '--json')
    const { safe, owner, thefts } = JSON.parse(out)
    expect({ code, safe, owner: owner.status }).toEqual({ code: 0, safe: true, owner: 200 })
    expect(thefts.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome])).toEqual(
      [...dpopThefts, 'other token', 'stale proof', 'two proofs'].map((name) => [name, 'refused']),
    )
  })

  it('says what cannot be tried without the key of the owner', async () => {
    const { out } = await getToken('--dpop', '--json')
    await getToken('--dpop')
    const stolen = await run('steal', JSON.parse(out).access_token)
    expect({ code: stolen.code, out: stolen.out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('--dpop-key'),
    })
    expect(stolen.err).toContain('was not seen')
  })

  it('prints nothing of the key, of the proofs and of the token', async () => {
    await getToken('--dpop')
    const { d } = JSON.parse(readFileSync(inFolder('.holdfast/session/dpop-key.jwk'), 'utf8'))
    const { out, err } = await run('steal', '--json')
    expect(out + err).not.toContain(d)
    expect(out + err).not.toContain('eyJ')
  })
})

describe('holdfast inspect', () => {
  it('says what a DPoP-bound token needs, and whether a key is its own', async () => {
    await getToken('--dpop')
    expect((await run('inspect')).out).toMatch(/DPoP proof by the key[\s\S]*htm[\s\S]*htu[\s\S]*ath/)
    const { out } = await run('inspect', '--json', '--issuer', issuer, '--dpop-key', '.holdfast/session/dpop-key.jwk')
    expect(JSON.parse(out)).toMatchObject({ signature: 'valid', dpopKey: { bound: true } })
    writeKey('stranger.key', ec('P-256'), 'pem')
    expect((await run('inspect', '--dpop-key', 'stranger.key')).code).toBe(1)
  })

  it('tells proofs that were joined with a comma', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const proof = `${part({ typ: 'dpop+jwt' })}.${part({ jti: '1' })}.AAAA`
    expect((await run('inspect', `${proof}, ${proof}`)).err).toContain('dpop_repeated')
  })

  it.each([
    ['--url', 'https://localhost:5003/identity'],
    ['--dpop-key', '.holdfast/session/dpop-key.jwk'],
  ])('exits 2 for an option that is about something else: %s', async (...option) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const proof = `${part({ typ: 'dpop+jwt' })}.${part({ jti: '1' })}.AAAA`
    const { out: token } = await getToken('--dpop')
    const codes = [await run('inspect', proof, ...option), await run('inspect', token.trim(), ...option)]
    expect(codes.map(({ code }) => code).toSorted()).toEqual(option[0] === '--url' ? [1, 2] : [0, 2])
  })

  it('exits 1 for a proof that a server would refuse, and says why as JSON too', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const proof = `${part({ typ: 'dpop+jwt' })}.${part({ jti: '1' })}.AAAA`
    const { code, out } = await run('inspect', proof, '--json')
    expect({ code, refused: JSON.parse(out).refused }).toEqual({ code: 1, refused: 'dpop_claims_malformed' })
  })
})

describe('holdfast logout', () => {
  it('ends a DPoP-bound token, and removes its key', async () => {
    const { out } = await getToken('--dpop', '--json')
    expect((await run('logout', '--secret', 'secret')).code).toBe(0)
    expect(existsSync(inFolder('.holdfast/session'))).toBe(false)
    expect(JSON.parse(out).dpopKey).toBe('.holdfast/session/dpop-key.jwk')
  })
})

function ec(namedCurve: string): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey
}

function writeKey(name: string, key: KeyObject, format: 'pem' | 'jwk'): void {
  const text = format === 'pem' ? key.export({ format, type: 'pkcs8' }) : JSON.stringify(key.export({ format }))
  writeFileSync(inFolder(name), text, { mode: 0o600 })
}
