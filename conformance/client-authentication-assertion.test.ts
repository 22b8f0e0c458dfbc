import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { createClientCertificate, issueCertificate } from '@holdfast/pop/certificates'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type Answer,
  assertion,
  assertionType,
  baseClients,
  claimsOf,
  declined,
  type Harness,
  rowsOf,
  startServer,
} from './harness.ts'
import { type KeyServer, startKeyServer } from './key-server.ts'

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const

const privateKeys: Readonly<Record<string, () => KeyObject>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
  'ML-DSA-44': () => generateKeyPairSync('ml-dsa-44').privateKey,
  'ML-DSA-65': () => generateKeyPairSync('ml-dsa-65').privateKey,
  'ML-DSA-87': () => generateKeyPairSync('ml-dsa-87').privateKey,
}
const algorithms = Object.keys(privateKeys)
const keys = new Map(algorithms.map((algorithm) => [algorithm, privateKeys[algorithm]?.().export(pkcs8).toString()]))
const key = keys.get('ES256') ?? ''
const [second, stranger] = [makeKey(), makeKey()]

let server: Harness
let remote: KeyServer
let now: number
beforeAll(async () => {
  remote = await startKeyServer()
  const common = { token_endpoint_auth_method: 'private_key_jwt', scope: 'api1' } as const
  server = await startServer((settings) => ({
    ...settings,
    outbound: { allow: ['localhost'], ca: remote.ca, allowPrivateAddresses: true },
    clients: [
      ...baseClients,
      { client_id: 'signer', jwks: { keys: [publicJwk(key, { kid: 'first' })] }, ...common },
      {
        client_id: 'two-keys',
        jwks: { keys: [publicJwk(key, { kid: 'first' }), publicJwk(second, { kid: 'second' })] },
        ...common,
      },
      { client_id: 'neighbour', jwks: { keys: [publicJwk(stranger, { kid: 'stranger' })] }, ...common },
      { client_id: 'remote', jwks_uri: remote.uri, ...common },
      { client_id: 'disabled-signer', jwks: { keys: [publicJwk(key)] }, disabled: true, ...common },
      ...algorithms.map((algorithm) => ({
        client_id: algorithm,
        token_endpoint_auth_signing_alg: algorithm,
        jwks: { keys: [publicJwk(keys.get(algorithm) ?? '')] },
        ...common,
      })),
    ],
  }))
  now = server.freeze()
})
afterAll(async () => {
  await server.close()
  await remote.close()
})
afterEach(async () => {
  expect((await send(made())).status, 'still serves').toBe(200)
})

type Overrides = NonNullable<Parameters<typeof assertion>[3]> & { readonly key?: string; readonly client?: string }

/** The valid assertion of `signer`, but for what is overridden. */
function made({ header, claims, key: by = key, client = 'signer' }: Overrides = {}): string {
  const times = { iat: now, exp: now + 60 }
  return assertion(by, client, server.issuer, { header: { ...header }, claims: { ...times, ...claims } })
}

function send(client_assertion: string, more: Readonly<Record<string, string | undefined>> = {}, path = '/token') {
  return server.post(path, {
    grant_type: 'client_credentials',
    scope: 'api1',
    client_assertion_type: assertionType,
    client_assertion,
    ...more,
  })
}

describe('RFC 7523 §3 client assertions', () => {
  it('authenticate without client_id, and with the same one beside them', async () => {
    expect((await send(made())).status).toBe(200)
    expect((await send(made(), { client_id: 'signer' })).status).toBe(200)
  })

  it.each(algorithms)('are taken when signed by %s', async (alg) => {
    const signed = made({ header: { alg }, key: keys.get(alg) ?? '', client: alg })
    expect((await send(signed)).status).toBe(200)
  })

  it.each(['JWT', 'client-authentication+jwt', undefined])('are taken with typ %s', async (typ) => {
    expect((await send(made({ header: { typ } }))).status).toBe(200)
  })

  it('choose among several keys of one kind by kid', async () => {
    for (const [kid, by] of [
      ['first', key],
      ['second', second],
    ] as const)
      expect((await send(made({ header: { kid }, key: by, client: 'two-keys' }))).status).toBe(200)
    const refusal = await declined(server, send(made({ client: 'two-keys' })))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_key_unknown' })
  })

  it('do not need the certificate that may come beside them, and bind to it', async () => {
    const certificate = await createClientCertificate({ name: 'signer', keyType: 'P-256' })
    const form = { grant_type: 'client_credentials', client_assertion_type: assertionType, client_assertion: made() }
    const answer = await server.post('/token', form, { certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })
})

describe('RFC 7523 §3 a client assertion is refused', () => {
  it.each([
    [
      '[T31] signed by another algorithm than the registered one',
      { client: 'PS256', header: { alg: 'RS256' }, key: keys.get('PS256') ?? '' },
      'assertion_algorithm',
    ],
    ['[T31] whose alg is none', { header: { alg: 'none' } }, 'assertion_algorithm'],
    ['[T31] whose alg is unknown', { header: { alg: 'ES256K' } }, 'assertion_algorithm'],
    ['[T31] whose alg is a number', { header: { alg: 256 } }, 'assertion_algorithm'],
    [
      '[T31] whose alg fits no registered key',
      { header: { alg: 'ES384' }, key: keys.get('ES384') ?? '' },
      'assertion_key_unknown',
    ],
    ['with a critical header', { header: { crit: ['exp'] } }, 'assertion_algorithm'],
    ['signed by another key', { key: stranger }, 'assertion_signature'],
    ['whose typ is of an access token', { header: { typ: 'at+jwt' } }, 'assertion_type_header'],
    ['whose typ is of a proof', { header: { typ: 'dpop+jwt' } }, 'assertion_type_header'],
    ['[T38] whose kid is a path', { header: { kid: '../../etc/passwd' } }, 'assertion_key_unknown'],
    ['[T38] whose kid is SQL', { header: { kid: "' or 1=1 --" } }, 'assertion_key_unknown'],
    ['[T38] whose kid is a number', { header: { kid: 1 } }, 'assertion_key_unknown'],
    ['[T38] whose kid is long', { header: { kid: 'first'.padEnd(8000) } }, 'assertion_key_unknown'],
    ["[T38] whose kid is another client's", { header: { kid: 'stranger' } }, 'assertion_key_unknown'],
    ["[T38] by another client's key and kid", { header: { kid: 'stranger' }, key: stranger }, 'assertion_key_unknown'],
    [
      '[T39] that brings its key as jwk',
      { header: { jwk: publicJwk(stranger) }, key: stranger },
      'assertion_signature',
    ],
    [
      '[T39] that brings its key by jku',
      { header: { jku: 'https://keys.test/' }, key: stranger },
      'assertion_signature',
    ],
    [
      '[T39] that brings its key by x5u',
      { header: { x5u: 'https://keys.test/' }, key: stranger },
      'assertion_signature',
    ],
    ['[T39] that brings its key as x5c', { header: { x5c: ['MIIB'] }, key: stranger }, 'assertion_signature'],
    ['[T33] whose iss is not its sub', { claims: { iss: 'neighbour' } }, 'assertion_issuer'],
    ['[T33] without iss', { claims: { iss: undefined } }, 'assertion_issuer'],
    ['[T33] without sub', { claims: { sub: undefined } }, 'assertion_issuer'],
    ['[T32] for the token endpoint', { claims: { aud: 'URL/token' } }, 'assertion_audience'],
    ['[T32] for the issuer with a slash', { claims: { aud: 'URL/' } }, 'assertion_audience'],
    ['[T32] for a prefix of the issuer', { claims: { aud: 'https://localhost' } }, 'assertion_audience'],
    ['[T32] for another server', { claims: { aud: 'https://as.test' } }, 'assertion_audience'],
    ['[T32] for nobody', { claims: { aud: undefined } }, 'assertion_audience'],
    ['[T32] for the issuer in an array', { claims: { aud: ['URL'] } }, 'assertion_audience'],
    ['[T32] for the issuer and another', { claims: { aud: ['URL', 'https://as.test'] } }, 'assertion_audience'],
    ['[T34] without exp', { claims: { exp: undefined } }, 'assertion_expiry'],
    ['[T34] whose exp is text', { claims: { exp: '9999999999' } }, 'assertion_expiry'],
    ['[T34] whose exp is 1e99', { claims: { exp: 1e99 } }, 'assertion_expiry'],
    ['[T34] whose exp is negative', { claims: { exp: -1 } }, 'assertion_expiry'],
    ['[T34] whose nbf is text', { claims: { nbf: 'now' } }, 'assertion_time'],
    ['[T36] without jti', { claims: { jti: undefined } }, 'assertion_id'],
    ['[T36] whose jti is empty', { claims: { jti: '' } }, 'assertion_id'],
    ['[T36] whose jti is a number', { claims: { jti: 1 } }, 'assertion_id'],
    ['[T36] whose jti has 257 characters', { claims: { jti: 'j'.repeat(257) } }, 'assertion_id'],
    ['[T36] whose jti has 10 kB', { claims: { jti: 'j'.repeat(10_240) } }, 'assertion_id'],
  ] as [string, Overrides, string][])('%s', async (_, overrides, reason) => {
    const claims = JSON.parse(JSON.stringify(overrides.claims ?? {}).replaceAll('URL', server.issuer))
    const missing = Object.entries(overrides.claims ?? {}).filter(([, value]) => value === undefined)
    const bad = made({ ...overrides, claims: { ...claims, ...Object.fromEntries(missing) } })
    const refusal = await declined(server, send(bad, { client_id: overrides.client ?? 'signer' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason })
    expect(refusal.answer.headers).not.toHaveProperty('www-authenticate')
  })

  it('[T31] signed with the public key as a shared secret', async () => {
    const input = made({ header: { alg: 'HS256' } })
      .split('.')
      .slice(0, 2)
      .join('.')
    const secret = createPublicKey(key).export({ type: 'spki', format: 'pem' })
    const mac = createHmac('sha256', secret).update(input).digest('base64url')
    const refusal = await declined(server, send(`${input}.${mac}`))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_algorithm' })
  })

  it('without sub, and nothing else that says whose it is', async () => {
    const refusal = await declined(server, send(made({ claims: { sub: undefined } })))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_malformed' })
  })

  it('[T33] with the client_id of another client beside it', async () => {
    const refusal = await declined(server, send(made(), { client_id: 'neighbour' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_signature' })
  })

  it.each([
    ['[T34] expired', (at: number) => ({ exp: at }), (at: number) => ({ exp: at + 1 }), 'assertion_expiry'],
    [
      '[T34] good for too long',
      (at: number) => ({ exp: at + 301 }),
      (at: number) => ({ exp: at + 300 }),
      'assertion_expiry',
    ],
    ['[T34] issued ahead', (at: number) => ({ iat: at + 11 }), (at: number) => ({ iat: at + 10 }), 'assertion_time'],
    ['[T34] not good yet', (at: number) => ({ nbf: at + 11 }), (at: number) => ({ nbf: at + 10 }), 'assertion_time'],
  ])('%s, at the second', async (_, wrong, right, reason) => {
    const jti = randomUUID()
    const refusal = await declined(server, send(made({ claims: { jti, ...wrong(now) } })))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason })
    expect((await send(made({ claims: { jti, ...right(now) } }))).status).toBe(200)
  })

  it.each([
    ['one part', 'a'],
    ['two parts', 'a.b'],
    ['four parts', 'e30.e30.AA.AA'],
    ['five parts', 'e30.e30.AA.AA.AA'],
    ['no JSON', 'AAAA.AAAA.AAAA'],
    ['padding', `${'e30='}.e30.AA`],
  ])('of %s', async (_, text) => {
    const refusal = await declined(server, send(text, { client_id: 'signer' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_malformed' })
  })

  it('[T37] without a type, with an unknown one, and twice', async () => {
    expect(await declined(server, send(made(), { client_assertion_type: undefined }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'assertion_type_missing',
    })
    expect(await declined(server, send(made(), { client_assertion_type: 'urn:x' }))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      reason: 'assertion_type_unknown',
    })
    const twice = [
      ['grant_type', 'client_credentials'],
      ['client_assertion_type', assertionType],
      ['client_assertion', made()],
      ['client_assertion', made()],
    ] as const
    expect(await declined(server, server.post('/token', twice))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'parameter_repeated',
    })
  })

  it('[T38] larger than a request may be', async () => {
    const refusal = await declined(server, send(made({ header: { kid: 'k'.repeat(1_000_000) } })))
    expect(refusal).toMatchObject({ status: 413, reason: 'body_too_large' })
  })

  it('[T41] that is an access token of ours', async () => {
    const { json } = await send(made())
    const refusal = await declined(server, send(json.access_token))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_type_header' })
  })

  it('from a client that is registered with a secret, or is unknown, or is disabled', async () => {
    for (const [client, reason] of [
      ['client', 'client_method_not_registered'],
      ['nobody', 'client_unknown'],
      ['disabled-signer', 'client_disabled'],
    ] as const)
      expect(await declined(server, send(made({ client })))).toMatchObject({
        status: 401,
        error: 'invalid_client',
        reason,
      })
  })

  it('in the place of which a secret is presented', async () => {
    const refusal = await declined(server, server.token({ client_id: 'signer', client_secret: 'secret' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_method_not_registered' })
  })
})

describe('[T35] a client assertion is used once', () => {
  it('when 64 arrive at once', async () => {
    const once = made()
    const before = rowsOf(server)
    const answers = await Promise.all(Array.from({ length: 64 }, () => send(once)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused.map(({ status, json }) => [status, json.error])).toEqual(refused.map(() => [401, 'invalid_client']))
    const told = server.reports.filter(({ event }) => event === 'refused').slice(-63)
    expect(told.map(({ reason }) => reason)).toEqual(refused.map(() => 'assertion_replayed'))
    expect(rowsOf(server)).toBe(before + 1)
  })

  const endpoints = ['/token', '/introspect', '/revoke']
  it.each(endpoints.flatMap((first) => endpoints.map((next) => [first, next] as const)))(
    'at %s, and then not at %s',
    async (first, next) => {
      const once = made()
      expect((await send(once, { token: 'unknown' }, first)).status).toBe(200)
      const refusal = await declined(server, send(once, { token: 'unknown' }, next))
      expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_replayed' })
    },
  )

  it('and then not with another signature or lifetime and the same jti', async () => {
    const jti = randomUUID()
    expect((await send(made({ claims: { jti } }))).status).toBe(200)
    const refusal = await declined(server, send(made({ claims: { jti, exp: now + 120 } })))
    expect(refusal).toMatchObject({ reason: 'assertion_replayed' })
  })

  it('but another client may use the same jti', async () => {
    const jti = randomUUID()
    expect((await send(made({ claims: { jti } }))).status).toBe(200)
    expect((await send(made({ claims: { jti }, client: 'neighbour', key: stranger }))).status).toBe(200)
  })

  it('also across a restart', async () => {
    const once = made()
    expect((await send(once)).status).toBe(200)
    await server.restart()
    expect(await declined(server, send(once))).toMatchObject({ status: 401, reason: 'assertion_replayed' })
  })

  it.each([
    ['a scope that the client may not have', { scope: 'other' }, 'scope_unknown'],
    ['a resource that is unknown', { resource: 'https://other.test' }, 'resource_unknown'],
    ['another grant type', { grant_type: 'password' }, 'grant_type_unsupported'],
    ['no grant type', { grant_type: undefined }, 'grant_type_missing'],
  ])('and a request that asks for %s does not use it up', async (_, more, reason) => {
    const once = made()
    expect(await declined(server, send(once, more))).toMatchObject({ status: 400, reason })
    expect((await send(once)).status).toBe(200)
  })

  it('and a certificate that cannot be bound to does not use it up', async () => {
    const once = made()
    const form = { grant_type: 'client_credentials', client_assertion_type: assertionType, client_assertion: once }
    const certificate = await issueCertificate({ subject: 'signer', keyType: 'P-256', notAfter: now - 1 })
    const refusal = await declined(server, server.post('/token', form, { certificate }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'certificate_expired' })
    expect((await send(once)).status).toBe(200)
  })

  it.each([
    ['/introspect', 'token_parameter_missing'],
    ['/revoke', 'token_parameter_missing'],
  ])('and a request without token at %s does not use it up', async (path, reason) => {
    const once = made()
    expect(await declined(server, send(once, {}, path))).toMatchObject({ status: 400, reason })
    expect((await send(once)).status).toBe(200)
  })
})

describe('[T35] an assertion at the edge of its life', () => {
  it('is not forgotten before it has ended', async () => {
    const once = made({ claims: { exp: now + 300 } })
    expect((await send(once)).status).toBe(200)
    server.advance(299)
    const late = await declined(server, send(once))
    server.advance(1)
    const ended = await declined(server, send(once))
    server.advance(-300)
    expect(late).toMatchObject({ reason: 'assertion_replayed' })
    expect(ended).toMatchObject({ reason: 'assertion_expiry' })
  })
})

describe('[T42] guessed secrets of a client that signs', () => {
  it('do not keep its assertions out', async () => {
    const guess = () => server.token({ client_id: 'signer', client_secret: 'guess' })
    for (let count = 0; count < 20; count++) expect((await guess()).status).toBe(401)
    expect((await guess()).status).toBe(429)
    expect((await send(made())).status).toBe(200)
  })
})

describe('keys behind jwks_uri', () => {
  const sent = (overrides: Overrides): Promise<Answer> => send(made({ client: 'remote', ...overrides }))

  it('are an outage while they cannot be had', async () => {
    remote.answer = 503
    for (let count = 0; count < 3; count++) {
      const refusal = await declined(server, sent({}))
      expect(refusal).toMatchObject({ status: 503, reason: 'client_keys_unavailable' })
      expect(Number(refusal.answer.headers['retry-after'])).toBeGreaterThan(0)
    }
    remote.answer = { keys: [publicJwk(key, { kid: 'first' })] }
    server.advance(29)
    now = server.freeze()
    expect((await sent({ header: { kid: 'first' } })).status).toBe(503)
    server.advance(1)
    now = server.freeze()
    expect((await sent({ header: { kid: 'first' } })).status).toBe(200)
  })

  it('are fetched once for many assertions', async () => {
    const before = remote.asked
    for (let count = 0; count < 5; count++) expect((await sent({ header: { kid: 'first' } })).status).toBe(200)
    expect(remote.asked).toBe(before)
  })

  it('are fetched again for a kid that is new, at most once in thirty seconds', async () => {
    remote.answer = { keys: [publicJwk(second, { kid: 'second' })] }
    const before = remote.asked
    expect(await declined(server, sent({ header: { kid: 'second' }, key: second }))).toMatchObject({
      status: 401,
      reason: 'assertion_key_unknown',
    })
    expect(remote.asked).toBe(before)
    server.advance(30)
    now = server.freeze()
    expect((await sent({ header: { kid: 'second' }, key: second })).status).toBe(200)
    expect(await declined(server, sent({ header: { kid: 'third' } }))).toMatchObject({
      reason: 'assertion_key_unknown',
    })
    expect(remote.asked).toBe(before + 1)
  })

  it('serve on while the host is away', async () => {
    remote.answer = 500
    server.advance(301)
    now = server.freeze()
    expect((await sent({ header: { kid: 'second' }, key: second })).status).toBe(200)
  })

  it.each([
    ['a redirect', 302],
    ['no JSON object', ['keys']],
    ['more than 64 KiB', { keys: [], more: 'x'.repeat(70_000) }],
  ])('are not taken from %s', async (_, answer) => {
    await server.restart()
    remote.answer = answer
    const refusal = await declined(server, sent({}))
    expect(refusal).toMatchObject({ status: 503, error: 'temporarily_unavailable', reason: 'client_keys_unavailable' })
  })

  it('are not fetched from a host that the operator allows no more', async () => {
    const { outbound = {} } = server.settings
    await server.restart({ outbound: { ...outbound, allow: ['localhost', 'keys.test'] } })
    const client = {
      client_id: 'unlisted',
      jwks_uri: 'https://keys.test/keys',
      token_endpoint_auth_method: 'private_key_jwt',
    }
    await server.server.administration.administer('client-add', { client, secret: 'none' })
    await server.restart()
    const refusal = await declined(server, send(made({ client: 'unlisted' })))
    expect(refusal).toMatchObject({ status: 503, reason: 'client_keys_unavailable' })
  })

  it('are not fetched from a private address, nor from a host that no known CA vouches for', async () => {
    remote.answer = { keys: [publicJwk(key)] }
    for (const outbound of [
      { allow: ['localhost'], ca: remote.ca },
      { allow: ['localhost'], allowPrivateAddresses: true },
    ]) {
      await server.restart({ outbound })
      const asked = remote.asked
      expect(await declined(server, sent({}))).toMatchObject({ status: 503, reason: 'client_keys_unavailable' })
      expect(remote.asked).toBe(asked)
    }
    await server.restart()
    expect((await sent({})).status).toBe(200)
  })
})

function makeKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8).toString()
}

function publicJwk(pem: string, more: object = {}) {
  return { kty: '', ...createPublicKey(pem).export({ format: 'jwk' }), ...more }
}
