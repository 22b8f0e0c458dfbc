import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createTestProofKey, type ProofOverrides, type TestProofKey } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { originOf, type ProofFor, proofFor, sha256, statuses, withProof } from './dpop.ts'
import { api, claimsOf, declined, type Harness, rowsOf, startServer } from './harness.ts'

let server: Harness
let key: TestProofKey
beforeAll(async () => {
  server = await startServer()
  key = createTestProofKey()
})
afterAll(() => server.close())

const proof = (overrides: ProofOverrides = {}, request: ProofFor = {}) => proofFor(server, key, request, overrides)
const ask = (dpop: string | readonly string[]) => server.token({}, withProof(dpop))

describe('RFC 9449 §5 a token for who shows a proof', () => {
  it('[RFC9449-5-3, RFC9449-5-4, RFC9449-6-1, RFC9449-6.1-1, RFC9449-11.10-1] is bound to the key, and says so', async () => {
    const { status, json, headers } = await ask(proof())
    expect(status).toBe(200)
    expect(json.token_type).toBe('DPoP')
    expect(claimsOf(json.access_token).cnf).toEqual({ jkt: key.thumbprint })
    const { crv, kty, x, y } = { y: '', crv: '', x: '', ...key.jwk }
    expect(key.thumbprint).toBe(sha256(JSON.stringify({ crv, kty, x, y })))
    expect(headers['dpop-nonce']).toBeUndefined()
  })

  it.each(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'] as const)(
    '[RFC9449-4.3-5] is bound to a key of %s',
    async (alg) => {
      const other = createTestProofKey(alg)
      const { json } = await ask(proofFor(server, other))
      expect(claimsOf(json.access_token).cnf).toEqual({ jkt: other.thumbprint })
    },
  )

  it('[RFC9449-5.1-1] finds these algorithms in the metadata', async () => {
    const path = '/.well-known/oauth-authorization-server'
    const { json } = await server.send({ on: 'public', method: 'GET', path, headers: {} })
    const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65']
    expect(json.dpop_signing_alg_values_supported).toEqual(algorithms)
  })

  it.each([
    ['claims that we do not know', { claims: { sub: 'somebody', extra: { deep: [1] } } }],
    ['[T104] an ath of no token', { claims: { ath: 'wrong' } }],
    ['a nonce, where none is asked for', { claims: { nonce: 'theirs' } }],
    ['header parameters that we do not know', { header: { kid: 'mine', jku: 'https://nobody.test/keys', extra: 1 } }],
    ['a jti of 256 characters', { claims: { jti: 'j'.repeat(256) } }],
    ['exp and nbf that hold', { claims: { exp: 2_000_000_000, nbf: 1_000_000_000 } }],
    ['an iat with a fraction', { claims: { iat: 0.5 } }],
  ])('[RFC9449-4.2-9] may have sent %s', async (_, overrides: ProofOverrides) => {
    const { iat } = { iat: undefined, ...overrides.claims }
    const claims = iat === undefined ? overrides.claims : { iat: server.freeze() - 0.5 }
    expect((await ask(proof({ ...overrides, ...(claims && { claims }) }))).json.token_type).toBe('DPoP')
  })

  it('may have sent members in its key that we do not know: they change nothing', async () => {
    const jwk = { ...key.jwk, kid: 'mine', use: 'sig', alg: 'ES256', x5u: 'https://nobody.test', key_ops: ['verify'] }
    const { json } = await ask(proof({ header: { jwk } }))
    expect(claimsOf(json.access_token).cnf).toEqual({ jkt: key.thumbprint })
  })

  it('is for the alias on the mTLS listener, where the proof was made for that', async () => {
    const onAlias = await server.token({}, withProof(proof({}, { on: 'mutualTls' }), { on: 'mutualTls' }))
    expect(claimsOf(onAlias.json.access_token).cnf).toEqual({ jkt: key.thumbprint })
    const elsewhere = server.token({}, withProof(proof(), { on: 'mutualTls' }))
    expect(await declined(server, elsewhere)).toMatchObject({ reason: 'dpop_url_differs' })
  })

  it('is for the path of the issuer, on the one listener that does everything', async () => {
    const single = await startServer(({ listen, ...settings }) => ({
      ...settings,
      issuer: `${settings.issuer}/tenant`,
      layout: 'single',
      listen: { public: listen.public },
    }))
    try {
      const path = '/tenant/token'
      const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret' }
      const bound = await single.post(path, form, withProof(proofFor(single, key, { path })))
      expect(claimsOf(bound.json.access_token).cnf).toEqual({ jkt: key.thumbprint })
      const elsewhere = single.post(path, form, withProof(proofFor(single, key)))
      expect(await declined(single, elsewhere)).toMatchObject({ reason: 'dpop_url_differs' })
    } finally {
      await single.close()
    }
  })

  it('does not follow what the request says of its host', async () => {
    const headers = { host: 'evil.test', 'x-forwarded-host': 'evil.test', forwarded: 'host=evil.test' }
    expect((await server.token({}, withProof(proof(), { headers }))).status).toBe(200)
    const theirs = proof({ claims: { htu: 'https://evil.test/token' } })
    const asked = server.token({}, withProof(theirs, { headers }))
    expect(await declined(server, asked)).toMatchObject({ reason: 'dpop_url_differs' })
  })
})

const rsa = (n: Buffer | string, e = 'AQAB') => ({
  header: { alg: 'PS256', jwk: { kty: 'RSA', n: typeof n === 'string' ? n : n.toString('base64url'), e } },
})
const modulus = (bytes: number) => {
  const made = randomBytes(bytes)
  made[0] = 0xff
  made[bytes - 1] = 0xff
  return made
}
const p384 = createTestProofKey('ES384')
const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
const jwkWith = (members: object) => () => ({ header: { jwk: { ...key.jwk, ...members } } })
const ecOf = () => ({ x: '', y: '', ...key.jwk })
const claim = (claims: ProofOverrides['claims'] & object) => () => ({ claims })

/** Each is the right proof with one thing wrong. */
const wrong: readonly [string, () => ProofOverrides, string][] = [
  ['[RFC9449-4.3-3] [T85] no jwk', () => ({ header: { jwk: undefined } }), 'dpop_claims_malformed'],
  ['[RFC9449-4.3-3] [T99] no jti', claim({ jti: undefined }), 'dpop_claims_malformed'],
  ['[T99] an empty jti', claim({ jti: '' }), 'dpop_claims_malformed'],
  ['[RFC9449-11.1-3] a jti of 257 characters', claim({ jti: 'j'.repeat(257) }), 'dpop_claims_malformed'],
  ['[T99] a jti of 10 kB', claim({ jti: 'j'.repeat(10_000) }), 'dpop_claims_malformed'],
  ['[RFC9449-4.3-3] [T94] no htm', claim({ htm: undefined }), 'dpop_claims_malformed'],
  ['[RFC9449-4.3-3] no htu', claim({ htu: undefined }), 'dpop_claims_malformed'],
  ['[RFC9449-4.3-3] no iat', claim({ iat: undefined }), 'dpop_claims_malformed'],
  ['an iat before 1970', claim({ iat: -1 }), 'dpop_claims_malformed'],
  ['[RFC9449-4.3-4, RFC9449-11.5-1] typ JWT', () => ({ header: { typ: 'JWT' } }), 'dpop_type'],
  ['[RFC9449-4.3-4] typ in capitals', () => ({ header: { typ: 'DPoP+JWT' } }), 'dpop_type'],
  ['[RFC9449-4.3-4] typ with application/', () => ({ header: { typ: 'application/dpop+jwt' } }), 'dpop_type'],
  ['[RFC9449-4.3-4] no typ', () => ({ header: { typ: undefined } }), 'dpop_type'],
  ...['none', 'None', 'HS256', 'RS1', 'RS256', 'ES256K', 'ES384', 'ES512', 'ML-DSA-87', 'unknown', 7, ['ES256']].map(
    (alg): [string, () => ProofOverrides, string] => [
      `[RFC9449-4.3-5, RFC9449-11.6-1] [T82] alg ${JSON.stringify(alg)}`,
      () => ({ header: { alg }, signature: 'AAAA' }),
      'dpop_algorithm',
    ],
  ),
  ['[T82] no alg', () => ({ header: { alg: undefined }, signature: 'AAAA' }), 'dpop_algorithm'],
  ['[T92] crit', () => ({ header: { crit: ['exp'] } }), 'dpop_algorithm'],
  ['[T92] b64', () => ({ header: { b64: false } }), 'dpop_algorithm'],
  ['[T92] zip', () => ({ header: { zip: 'DEF' } }), 'dpop_algorithm'],
  ['[T83] a key of RSA for ES256', () => ({ header: { jwk: rsa(modulus(256)).header.jwk } }), 'dpop_key'],
  ['[T83] a key of P-384 for ES256', () => ({ header: { jwk: { ...p384.jwk } }, signature: 'AAAA' }), 'dpop_key'],
  [
    '[T83] a key of X25519 for EdDSA',
    () => ({ header: { alg: 'EdDSA', jwk: { ...x25519 } }, signature: 'AAAA' }),
    'dpop_key',
  ],
  ['[RFC9449-4.3-6] [T84] the signature of another key', () => ({ key: createTestProofKey().key }), 'dpop_signature'],
  ['[T84] an empty signature', () => ({ signature: '' }), 'dpop_signature'],
  ['[T84] zeros for a signature', () => ({ signature: Buffer.alloc(64).toString('base64url') }), 'dpop_signature'],
  ['[T84] a signature of 63 bytes', () => ({ signature: randomBytes(63).toString('base64url') }), 'dpop_signature'],
  ['[T84] a signature of 65 bytes', () => ({ signature: randomBytes(65).toString('base64url') }), 'dpop_signature'],
  ...[null, 'text', ['array'], 7].map((jwk): [string, () => ProofOverrides, string] => [
    `[RFC9449-4.3-3] [T85] a jwk that is ${JSON.stringify(jwk)}`,
    () => ({ header: { jwk } }),
    'dpop_claims_malformed',
  ]),
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].map((member): [string, () => ProofOverrides, string] => [
    `[RFC9449-4.3-7] [T86] a jwk with ${member}`,
    jwkWith({ [member]: 'AQAB' }),
    'dpop_key_private',
  ]),
  ['[RFC9449-4.3-6] [T85] an empty jwk', () => ({ header: { jwk: {} } }), 'dpop_key'],
  ['[T87] a symmetric key', () => ({ header: { jwk: { kty: 'oct' } } }), 'dpop_key'],
  ['[T88] RSA of 1024 bit', () => ({ ...rsa(modulus(128)), signature: 'AAAA' }), 'dpop_key'],
  ['[T88] RSA of 16384 bit', () => ({ ...rsa(modulus(2048)), signature: 'AAAA' }), 'dpop_key'],
  [
    '[T88] an even modulus',
    () => ({ ...rsa(Buffer.concat([modulus(255), Buffer.of(0)])), signature: 'AAAA' }),
    'dpop_key',
  ],
  ['[T88] an empty modulus', () => ({ ...rsa(''), signature: 'AAAA' }), 'dpop_key'],
  ['[T88] e = 1', () => ({ ...rsa(modulus(256), 'AQ'), signature: 'AAAA' }), 'dpop_key'],
  ['[T88] e = 3', () => ({ ...rsa(modulus(256), 'Aw'), signature: 'AAAA' }), 'dpop_key'],
  [
    '[T88] e of 3072 bit',
    () => ({ ...rsa(modulus(256), modulus(384).toString('base64url')), signature: 'AAAA' }),
    'dpop_key',
  ],
  [
    '[T89] x with a zero before it',
    () => jwkWith({ x: Buffer.concat([Buffer.of(0), Buffer.from(ecOf().x, 'base64url')]).toString('base64url') })(),
    'dpop_key',
  ],
  ['[T89] x in base64 with padding', () => jwkWith({ x: `${ecOf().x}=` })(), 'dpop_key'],
  ['[T89] x with white space', () => jwkWith({ x: ` ${ecOf().x}` })(), 'dpop_key'],
  ['[T89] another name of the curve', jwkWith({ crv: 'prime256v1' }), 'dpop_key'],
  ['[T90] a point off the curve', () => jwkWith({ x: ecOf().y, y: ecOf().x })(), 'dpop_signature'],
  ['[T90] the point (0,0)', jwkWith({ x: 'A'.repeat(43), y: 'A'.repeat(43) }), 'dpop_signature'],
  [
    '[T90] the zero point of Ed25519',
    () => ({ header: { alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } }, signature: 'AAAA' }),
    'dpop_key',
  ],
  ['a key for encryption', jwkWith({ use: 'enc' }), 'dpop_key'],
  ['a key of another algorithm', jwkWith({ alg: 'ES384' }), 'dpop_key'],
  ['[RFC9449-4.3-8] [T94] htm GET', claim({ htm: 'GET' }), 'dpop_method_differs'],
  ['[RFC9449-4.3-8] [T94] htm post', claim({ htm: 'post' }), 'dpop_method_differs'],
  ['[RFC9449-4.3-8] htm with a space', claim({ htm: 'POST ' }), 'dpop_method_differs'],
]

describe('RFC 9449 §4.3 a proof is refused with', () => {
  it.each(wrong)('[RFC9449-5-2] %s', async (_, overrides, reason) => {
    expect(await declined(server, ask(proof(overrides())))).toMatchObject({
      status: 400,
      error: 'invalid_dpop_proof',
      reason,
    })
  })

  it.each([
    ['another path', '/tokens'],
    ['[incident 11] a slash at the end', '/token/'],
    ['[incident 13] capitals in the path', '/Token'],
    ['an escaped slash', '%2Ftoken'],
    ['a segment more', '/a/token'],
    ['a part of the path', '/tok'],
    ['a path before', '/token/..'],
  ])('[RFC9449-4.3-9] %s in htu', async (_, path) => {
    const asked = ask(proof({ claims: { htu: `${originOf(server)}${path}` } }))
    expect(await declined(server, asked)).toMatchObject({ error: 'invalid_dpop_proof', reason: 'dpop_url_differs' })
  })

  it.each([
    ['http', (url: string) => url.replace('https', 'http')],
    ['a user', (url: string) => url.replace('//', '//user@')],
    ['another host', (url: string) => url.replace('localhost', '127.0.0.1')],
    ['a dot after the host', (url: string) => url.replace('localhost', 'localhost.')],
    ['no scheme', (url: string) => url.replace('https:', '')],
    ['a path only', () => '/token'],
    ['another port', (url: string) => url.replace(/:\d+\//, ':1/')],
    ['the default port', (url: string) => url.replace(/:\d+\//, '/')],
    ['white space', (url: string) => ` ${url}`],
    ['nothing', () => ''],
  ])('[RFC9449-4.3-9] %s in htu', async (_, change) => {
    const asked = ask(proof({ claims: { htu: change(`${originOf(server)}/token`) } }))
    expect(await declined(server, asked)).toMatchObject({ error: 'invalid_dpop_proof', reason: 'dpop_url_differs' })
  })

  it.each(['', 'a', 'a.b', 'a.b.c', '....', 'W10.e30.AAAA', 'e30.W10.AAAA'])(
    '[RFC9449-4.3-2] [T80] something that is no JWT: "%s"',
    async (text) => {
      expect(await declined(server, ask(text))).toMatchObject({
        status: 400,
        error: 'invalid_dpop_proof',
        reason: 'dpop_malformed',
      })
    },
  )

  it('[T80] a fourth part, a fifth, and one that is too long', async () => {
    for (const text of [`${proof()}.AAAA`, `${proof()}.AAAA.AAAA`, proof({ claims: { extra: 'x'.repeat(16_384) } })])
      expect(await declined(server, ask(text))).toMatchObject({ status: 400, reason: 'dpop_malformed' })
    expect((await ask(proof({ claims: { extra: 'x'.repeat(65_536) } }))).status).toBe(431)
  })

  it('[RFC9449-4.3-1] [T79] [incident 18] a second one, in a header of its own or behind a comma', async () => {
    const same = proof()
    for (const two of [
      [proof(), proof()],
      [same, same],
      [proof(), ''],
      `${proof()},${proof()}`,
      `${proof()}, ${proof()}`,
      `${same},`,
    ])
      expect(await declined(server, ask(two))).toMatchObject({ error: 'invalid_dpop_proof', reason: 'dpop_repeated' })
    expect((await ask(same)).status).toBe(200)
  })

  it('[incident 19] another type in every place', async () => {
    const values = [true, null, ['a'], { a: 1 }, '', -1]
    for (const name of ['typ', 'alg', 'jwk'])
      for (const value of values)
        expect(await declined(server, ask(proof({ header: { [name]: value }, signature: 'AAAA' })))).toMatchObject({
          status: 400,
          error: 'invalid_dpop_proof',
        })
    for (const name of ['jti', 'htm', 'htu', 'iat', 'exp', 'nbf'])
      for (const value of values)
        expect(await declined(server, ask(proof({ claims: { [name]: value } })))).toMatchObject({
          status: 400,
          error: 'invalid_dpop_proof',
        })
  })
})

describe('RFC 9449 §4.3 (9) the address may be written otherwise', () => {
  const spellings: readonly [string, (url: string) => string][] = [
    ['with a query', (url) => `${url}?a=b`],
    ['with a fragment', (url) => `${url}#a`],
    ['with capitals in scheme and host', (url) => url.replace('https://localhost', 'HTTPS://LocalHost')],
    ['with escapes of letters', (url) => url.replace('/token', '/%74oken')],
    ['with dots that go nowhere', (url) => url.replace('/token', '/./a/../token')],
  ]

  it.each(spellings)('[RFC9449-4.3-9, RFC9449-4.3-13] [T96] %s', async (_, write) => {
    const { json } = await ask(proof({ claims: { htu: write(`${originOf(server)}/token`) } }))
    expect(json.token_type).toBe('DPoP')
  })

  it('[T96] [incident 8] and is one address: a jti counts once under all spellings', async () => {
    const jti = randomBytes(16).toString('base64url')
    expect((await ask(proof({ claims: { jti } }))).status).toBe(200)
    for (const [, write] of spellings) {
      const again = proof({ claims: { jti, htu: write(`${originOf(server)}/token`) } })
      expect(await declined(server, ask(again))).toMatchObject({ reason: 'dpop_replayed' })
    }
  })
})

describe('RFC 9449 §4.3 (11) a proof is for a short time', () => {
  it.each([
    ['[RFC9449-11.1-1] [T98] 60 seconds old', -60, 'taken'],
    ['[RFC9449-4.3-11, RFC9449-11.1-1] [T98] 61 seconds old', -61, 'dpop_stale'],
    ['[RFC9449-11.1-4] [T98] 10 seconds ahead', 10, 'taken'],
    ['[RFC9449-4.3-11] [T98] 11 seconds ahead', 11, 'dpop_early'],
  ])('%s', async (_, shift, reason) => {
    const asked = ask(proof({ claims: { iat: server.freeze() + shift } }))
    if (reason === 'taken') expect((await asked).json.token_type).toBe('DPoP')
    else expect(await declined(server, asked)).toMatchObject({ status: 400, error: 'invalid_dpop_proof', reason })
  })

  it.each([
    ['exp in a second', { exp: 1 }, 'taken'],
    ['exp now', { exp: 0 }, 'dpop_stale'],
    ['nbf in ten seconds', { nbf: 10 }, 'taken'],
    ['nbf in eleven', { nbf: 11 }, 'dpop_early'],
  ])('%s', async (_, shifts, reason) => {
    const claims = Object.fromEntries(Object.entries(shifts).map(([name, shift]) => [name, server.freeze() + shift]))
    const asked = ask(proof({ claims }))
    if (reason === 'taken') expect((await asked).json.token_type).toBe('DPoP')
    else expect(await declined(server, asked)).toMatchObject({ status: 400, error: 'invalid_dpop_proof', reason })
  })
})

describe('RFC 9449 §11.1 a proof counts once', () => {
  const replayed = { status: 400, error: 'invalid_dpop_proof', reason: 'dpop_replayed' }

  it('[RFC9449-11.1-2] [T100] and is refused at once, after a restart, and while it could still pass', async () => {
    const used = proof({ claims: { iat: server.freeze() + 10 } })
    expect((await ask(used)).status).toBe(200)
    expect(await declined(server, ask(used))).toMatchObject(replayed)
    await server.restart()
    expect(await declined(server, ask(used))).toMatchObject(replayed)
    server.advance(70)
    expect(await declined(server, ask(used))).toMatchObject(replayed)
    server.advance(1)
    expect(await declined(server, ask(used))).toMatchObject({ reason: 'dpop_stale' })
  })

  it('[incident 3] [incident 4] at every second until it is too old', async () => {
    const used = proof({ claims: { iat: server.freeze() - 50 } })
    expect((await ask(used)).status).toBe(200)
    for (let second = 0; second <= 11; second++, server.advance(1))
      expect((await declined(server, ask(used))).reason).toBe(second <= 10 ? 'dpop_replayed' : 'dpop_stale')
  })

  it('[T100] [incident 5] in exactly one of 64 requests at once', async () => {
    const used = proof()
    const answers = await Promise.all(Array.from({ length: 64 }, () => ask(used)))
    expect(statuses(answers)).toEqual({ 200: 1, 400: 63 })
    expect(new Set(answers.flatMap(({ json }) => json.error ?? []))).toEqual(new Set(['invalid_dpop_proof']))
  })

  it('[T101] with its signature written in another way', async () => {
    const used = proof()
    expect((await ask(used)).status).toBe(200)
    expect(await declined(server, ask(negated(used)))).toMatchObject(replayed)
    const [last = ''] = used.slice(-1)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sloppy = `${used.slice(0, -1)}${alphabet[alphabet.indexOf(last) + 1]}`
    expect(await declined(server, ask(sloppy))).toMatchObject({ reason: 'dpop_malformed' })
  })

  it('[incident 7] under its own key: nobody uses up the jti of another', async () => {
    const claims = { jti: randomBytes(16).toString('base64url') }
    const other = createTestProofKey()
    expect((await ask(proof({ claims }))).status).toBe(200)
    expect((await ask(proofFor(server, other, {}, { claims }))).status).toBe(200)
  })

  it('whoever shows it: a second client with the same key cannot', async () => {
    const used = proof()
    expect((await ask(used)).status).toBe(200)
    const other = { client_id: 'other', client_secret: 'other-secret' }
    expect(await declined(server, server.token(other, withProof(used)))).toMatchObject(replayed)
  })

  it('at each address', async () => {
    const claims = { jti: randomBytes(16).toString('base64url') }
    expect((await ask(proof({ claims }))).status).toBe(200)
    const onAlias = withProof(proof({ claims }, { on: 'mutualTls' }), { on: 'mutualTls' })
    expect((await server.token({}, onAlias)).status).toBe(200)
  })

  it('[T109] [incident 10] and is left alone by a request that fails: for the proof itself, or for another reason', async () => {
    const claims = { jti: randomBytes(16).toString('base64url') }
    const rows = rowsOf(server)
    await declined(server, ask(proof({ claims, key: createTestProofKey().key })))
    await declined(server, ask(proof({ claims: { ...claims, iat: 0 } })))
    expect(rowsOf(server)).toBe(rows)
    const used = proof({ claims })
    expect(await declined(server, server.token({ scope: 'unknown' }, withProof(used)))).toMatchObject({
      reason: 'scope_unknown',
    })
    expect(await declined(server, server.token({ client_secret: 'wrong' }, withProof(used)))).toMatchObject({
      status: 401,
      reason: 'client_secret_wrong',
    })
    expect((await ask(used)).status).toBe(200)
  })

  it('[RFC9449-11.1-3] and leaves a hash, not itself', async () => {
    const jti = randomBytes(128).toString('hex')
    await ask(proof({ claims: { jti } }))
    const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { readOnly: true })
    const uses = database.prepare('select kind, key from single_use').all()
    database.close()
    expect(uses.at(-1)).toEqual({ kind: 'proof', key: expect.stringMatching(/^[\w-]{43}$/) })
    expect(JSON.stringify(uses)).not.toContain(jti)
  })
})

describe('[T110] a client that floods the server with proofs', () => {
  it('is told to wait, others and other addresses are not, and nothing is stored', async () => {
    const small = await startServer((settings) => ({ ...settings, dpop: { proofsPerMinute: 3 } }))
    try {
      const dpop = () => proofFor(small, key)
      for (let times = 0; times < 3; times++) expect((await small.token({}, withProof(dpop()))).status).toBe(200)
      const flooded = await declined(small, small.token({}, withProof(dpop())))
      expect(flooded).toMatchObject({ status: 429, error: 'too_many_requests', reason: 'dpop_proofs_exhausted' })
      expect(flooded.answer.headers['retry-after']).toBe('60')
      const other = { client_id: 'other', client_secret: 'other-secret' }
      expect((await small.token(other, withProof(dpop()))).status).toBe(200)
      expect((await small.token({}, withProof(dpop(), { from: '127.0.0.2' }))).status).toBe(200)
      expect((await small.token()).status).toBe(200)
      small.advance(60)
      expect((await small.token({}, withProof(dpop()))).status).toBe(200)
    } finally {
      await small.close()
    }
  })

  it('is counted once it is known, wrong proofs too: nobody else spends what it has', async () => {
    const small = await startServer((settings) => ({ ...settings, dpop: { proofsPerMinute: 3 } }))
    try {
      for (let times = 0; times < 5; times++)
        expect(await declined(small, small.token({ client_secret: 'wrong' }, withProof('x')))).toMatchObject({
          reason: 'client_secret_wrong',
        })
      for (let times = 0; times < 3; times++)
        expect(await declined(small, small.token({}, withProof('x')))).toMatchObject({ reason: 'dpop_malformed' })
      const asked = small.token({}, withProof(proofFor(small, key)))
      expect(await declined(small, asked)).toMatchObject({ reason: 'dpop_proofs_exhausted' })
    } finally {
      await small.close()
    }
  })
})

describe('dpop.algorithms', () => {
  it('says what is taken and advertised', async () => {
    const strict = await startServer((settings) => ({ ...settings, dpop: { algorithms: ['ES384', 'ML-DSA-87'] } }))
    try {
      const path = '/.well-known/oauth-authorization-server'
      const { json } = await strict.send({ on: 'public', method: 'GET', path, headers: {} })
      expect(json.dpop_signing_alg_values_supported).toEqual(['ES384', 'ML-DSA-87'])
      for (const alg of ['ES384', 'ML-DSA-87'] as const) {
        const other = createTestProofKey(alg)
        const { access_token } = (await strict.token({}, withProof(proofFor(strict, other)))).json
        expect(claimsOf(access_token)).toMatchObject({ aud: api, cnf: { jkt: other.thumbprint } })
      }
      const asked = strict.token({}, withProof(proofFor(strict, key)))
      expect(await declined(strict, asked)).toMatchObject({ reason: 'dpop_algorithm' })
    } finally {
      await strict.close()
    }
  })
})

/** The same proof with the other signature that ECDSA has for it: s replaced by n - s. */
function negated(text: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [header, claims, signature = ''] = text.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${claims}.${other.toString('base64url')}`
}
