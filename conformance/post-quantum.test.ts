import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { isKeyFor, parsePublicJwk, thumbprintInput } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import { createGuard, protect, tlsOptions } from '@holdfast/pop/resource/node'
import { createTestIssuer, createTestProofKey, inboundWith, signProof, testNow } from '@holdfast/pop/testing'
import type { SettingsInput } from 'holdfast'
import { compactVerify, createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allow, redeem, startPeopleServer } from './authorized.ts'
import { api, assertion, assertionType, baseClients, claimsOf, declined, type Harness } from './harness.ts'

const algorithms = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS256',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const
const sizes = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const edwards = generateKeyPairSync('ed25519').privateKey
/** Clients whose registered key names its algorithm, and the other one that the key could sign by. */
const particular = [
  { alg: 'PS256', other: 'RS256', key: rsa },
  { alg: 'RS256', other: 'PS256', key: rsa },
  { alg: 'EdDSA', other: 'Ed25519', key: edwards },
  { alg: 'Ed25519', other: 'EdDSA', key: edwards },
] as const

let server: Harness
let outgoing: MutualTls
beforeAll(async () => {
  server = await startPeopleServer((settings) => ({
    ...settings,
    apis: [
      ...settings.apis,
      ...algorithms.map((algorithm) => ({
        identifier: identifierOf(algorithm),
        scopes: [algorithm],
        accessTokens: { algorithm },
      })),
    ],
    clients: [
      ...baseClients,
      ...(settings.clients ?? []).filter(({ client_id }) => client_id === 'web'),
      { client_id: 'many', client_secret: 'secret', scope: algorithms.join(' ') },
      ...particular.map(({ alg, key }) => clientWith(`only-${alg}`, { ...publicJwkOf(key), alg })),
      ...sizes.map((alg) => clientWith(`by-${alg}`, publicJwkOf(zeroSeedKey(alg)))),
    ],
    accessTokens: { algorithm: 'ML-DSA-87' },
    dpop: { algorithms: [...sizes] },
  }))
  outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
})
afterAll(async () => {
  await outgoing.close()
  await server.close()
})

const identifierOf = (algorithm: string) => `https://${algorithm.toLowerCase()}.test`
const tokenBy = async (scope: string): Promise<string> =>
  (await server.token({ client_id: 'many', scope })).json.access_token
const published = async () =>
  (await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })).json as {
    readonly keys: readonly Readonly<Record<string, string>>[]
  }

describe('RFC 9964 §6 the thumbprint of a key', () => {
  it.each([
    ['ML-DSA-44', 'T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o'],
    ['ML-DSA-65', 'Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM'],
    ['ML-DSA-87', 'tRn1JNIkgMsABVQBlXeDHxAIcclh-2IX0UdDEzPt5XU'],
  ] as const)('[RFC9964-6-1] is for %s and the seed of zeros the one of the examples', (alg, thumbprint) => {
    expect(thumbprintOf(zeroSeedKey(alg))).toBe(thumbprint)
  })
})

describe('RFC 9964 §5 signatures', () => {
  const example = readFileSync(new URL('./ml-dsa-44-example.txt', import.meta.url), 'utf8').trim()
  const [header = '', payload = '', signature = ''] = example.split('.')
  const key = parsePublicJwk(publicJwkOf(zeroSeedKey('ML-DSA-44')))
  const isGood = (text: string, alg: (typeof sizes)[number] = 'ML-DSA-44') =>
    key && nodePrimitives.verify(alg, key, Buffer.from(text), Buffer.from(signature, 'base64url'))

  it('[RFC9964-5-1] the example verifies, and nothing else with its signature', () => {
    expect(isGood(`${header}.${payload}`)).toBe(true)
    expect(isGood(`${header}.${payload}A`)).toBe(false)
    expect(isGood(`${header}.${payload}`, 'ML-DSA-65')).toBe(false)
  })

  it('[RFC9964-5-1] the example verifies for jose as well', async () => {
    const { protectedHeader } = await compactVerify(example, publicJwkOf(zeroSeedKey('ML-DSA-44')))
    expect(protectedHeader.kid).toBe(thumbprintOf(zeroSeedKey('ML-DSA-44')))
  })
})

describe('RFC 9964 §3 a JWK of type AKP', () => {
  const jwk = publicJwkOf(zeroSeedKey('ML-DSA-65'))
  it('is a key with its alg and pub', () => {
    expect(parsePublicJwk(jwk)).toEqual({ kty: 'AKP', alg: 'ML-DSA-65', pub: jwk.pub })
  })

  it.each([
    ['without alg', { alg: undefined }],
    ['with the alg of another size', { alg: 'ML-DSA-44' }],
    ['with an alg that no key has', { alg: 'ML-DSA-66' }],
    ['without pub', { pub: undefined }],
    ['with a shorter pub', { pub: jwk.pub.slice(4) }],
    ['with a pub in ordinary base64', { pub: `${jwk.pub.slice(0, -4)}+/==` }],
    ['with its seed', { priv: 'A'.repeat(43) }],
  ])('[RFC9964-3-1, RFC9964-3-2, RFC9964-3-3, RFC9964-7.3-1] is none %s', (_, changes) => {
    expect(parsePublicJwk({ ...jwk, ...changes })).toBeUndefined()
  })
})

describe('access tokens', () => {
  it.each(algorithms)('[RFC9068-4] by %s are admitted by our guard and verified by jose', async (algorithm) => {
    const token = await tokenBy(algorithm)
    const identifier = identifierOf(algorithm)
    const guard = createGuard(
      { issuer: server.issuer, identifier, binding: 'when-bound' },
      { fetch: outgoing.fetch, now: () => Math.floor(Date.now() / 1000) },
    )
    const verdict = await guard.judge(inboundWith(token, { url: `${identifier}/orders` }))
    expect(verdict.admitted).toBe(true)
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...(await published()).keys] }))
    expect(protectedHeader.alg).toBe(algorithm)
  })

  it.each(algorithms)('by %s are refused with another byte in their signature', async (algorithm) => {
    const token = await tokenBy(algorithm)
    const at = token.lastIndexOf('.') + 20
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
    const guard = createGuard(
      { issuer: server.issuer, identifier: identifierOf(algorithm), binding: 'when-bound' },
      { fetch: outgoing.fetch },
    )
    const verdict = await guard.judge(inboundWith(changed, { url: `${identifierOf(algorithm)}/orders` }))
    expect(verdict).toMatchObject({ admitted: false, reason: 'token_signature' })
  })

  it.each(algorithms)(
    '[RFC9964-3-3] by %s name a key that is published without its private half',
    async (algorithm) => {
      const { kid } = headerOf(await tokenBy(algorithm))
      const jwk = (await published()).keys.find((each) => each.kid === kid)
      const key = parsePublicJwk(jwk)
      expect(jwk).toEqual({ ...key, alg: algorithm, use: 'sig', kid })
      expect(key && isKeyFor(algorithm, key)).toBe(true)
    },
  )
})

describe('RFC 8725 §3.1 each key is for its own algorithm', () => {
  it.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
    ['PS256', 'RS256'],
    ['RS256', 'PS256'],
    ['ES256', 'ES384'],
    ['ML-DSA-44', 'ML-DSA-65'],
    ['ML-DSA-87', 'EdDSA'],
  ] as const)('an API refuses a token by %s whose key signed as %s', async (algorithm, alg) => {
    const issuer = createTestIssuer({ algorithm })
    const guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience, binding: 'when-bound', keys: issuer.jwks },
      { now: () => testNow },
    )
    expect((await guard.judge(inboundWith(issuer.accessToken()))).admitted).toBe(true)
    const verdict = await guard.judge(inboundWith(issuer.accessToken({ header: { alg } })))
    expect(verdict).toMatchObject({ admitted: false, reason: 'token_key_unknown' })
  })

  it.each(particular)('the server refuses an assertion by $other of a key for $alg', async ({ alg, other, key }) => {
    const sent = (used: string) => assert(`only-${alg}`, key, used)
    expect((await sent(alg)).status).toBe(200)
    const refusal = await declined(server, sent(other))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_key_unknown' })
  })
})

describe('client assertions', () => {
  it.each(sizes)('by %s authenticate', async (alg) => {
    expect((await assert(`by-${alg}`, zeroSeedKey(alg), alg)).status).toBe(200)
  })

  it.each(sizes)('by %s are refused when another key made them', async (alg) => {
    const { key } = createTestProofKey(alg)
    const refusal = await declined(server, assert(`by-${alg}`, key, alg))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_signature' })
  })
})

describe('proofs', () => {
  it.each(sizes)('[RFC9449-6.1-1] by %s bind to the thumbprint over alg, kty and pub', async (alg) => {
    const key = createTestProofKey(alg)
    const answer = await server.token({ client_id: 'client' }, { headers: { dpop: proofFor('/token', key) } })
    expect(answer.json).toMatchObject({ token_type: 'DPoP' })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ jkt: thumbprintOf(key.key) })
  })

  it('by ML-DSA-87 and tokens by ML-DSA-87 fit into one request, which is larger than 16 KiB', async () => {
    const key = createTestProofKey('ML-DSA-87')
    const { json } = await redeem(server, allow(server, { scope: 'openid email' }).form, {
      headers: { dpop: proofFor('/token', key) },
    })
    const accessToken: string = json.access_token
    const headers = {
      authorization: `DPoP ${accessToken}`,
      dpop: signProof(key, { method: 'GET', url: `${server.issuer}/userinfo`, accessToken, now: server.freeze() }),
    }
    expect(headers.authorization.length + headers.dpop.length).toBeGreaterThan(16_384)
    expect(headers.authorization.length + headers.dpop.length).toBeLessThan(20_000)
    const answer = await server.send({ on: 'public', method: 'GET', path: '/userinfo', headers })
    expect(answer).toMatchObject({ status: 200, json: { email: 'alice@example.com' } })
  })
})

describe('an API that takes a proof and a token by ML-DSA-87 over TLS', () => {
  const key = createTestProofKey('ML-DSA-87')
  let roomy: Server
  let narrow: Server
  beforeAll(async () => {
    const guard = createGuard(
      { issuer: server.issuer, identifier: api, dpop: { algorithms: ['ML-DSA-87'] } },
      { fetch: outgoing.fetch, now: () => server.freeze() },
    )
    const { certificate: cert = '', key: serverKey = '' } = server.settings.listen.public
    const start = async (options: ServerOptions): Promise<Server> => {
      const handler = protect(guard, (_, response, { token }) => response.end(JSON.stringify(token.confirmation)))
      const started = createServer({ ...tlsOptions, ...options, cert, key: serverKey }, handler)
      await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
      return started
    }
    roomy = await start({ maxHeaderSize: 32_768 })
    narrow = await start({})
  })
  afterAll(async () => {
    for (const each of [roomy, narrow]) await new Promise((resolve) => each.close(resolve))
  })

  const call = async (on: Server, proofBy = key) => {
    const { json } = await server.token({}, { headers: { dpop: proofFor('/token', key) } })
    const accessToken: string = json.access_token
    expect(headerOf(accessToken).alg).toBe('ML-DSA-87')
    const dpop = signProof(proofBy, { method: 'GET', url: `${api}/orders`, accessToken, now: server.freeze() })
    const headers = { authorization: `DPoP ${accessToken}`, dpop }
    // as: a TCP server that listens has an address of this kind.
    return server.send({ on: (on.address() as AddressInfo).port, method: 'GET', path: '/orders', headers })
  }

  it('[RFC9449-7.1-1] admits the holder of the key', async () => {
    const answer = await call(roomy)
    expect(answer).toMatchObject({ status: 200, json: { jkt: thumbprintOf(key.key) } })
  })

  it('refuses another key of the same kind', async () => {
    const answer = await call(roomy, createTestProofKey('ML-DSA-87'))
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_token"/)
  })

  it('must allow larger headers than Node does by itself', async () => {
    expect((await call(narrow)).status).toBe(431)
  })
})

describe('signing keys', () => {
  it('are the same after a restart, and their tokens stay valid when they rotate', async () => {
    const before = await Promise.all(algorithms.map(tokenBy))
    const kids = before.map((token) => headerOf(token).kid)
    await server.restart()
    expect((await Promise.all(algorithms.map(tokenBy))).map((token) => headerOf(token).kid)).toEqual(kids)
    await server.server.administration.administer('key-rotate', {})
    const after = await Promise.all(algorithms.map(tokenBy))
    const keys = createLocalJWKSet({ keys: [...(await published()).keys] })
    for (const [index, algorithm] of algorithms.entries()) {
      expect(headerOf(after[index] ?? '').kid).not.toBe(kids[index])
      for (const token of [before[index] ?? '', after[index] ?? ''])
        expect((await jwtVerify(token, keys)).protectedHeader.alg).toBe(algorithm)
    }
  })
})

function clientWith(
  client_id: string,
  jwk: { readonly kty: string; readonly alg?: string },
): NonNullable<SettingsInput['clients']>[number] {
  return { client_id, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] }, scope: 'api1' }
}

function assert(client_id: string, key: KeyObject, alg: string) {
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const client_assertion = assertion(pem, client_id, server.issuer, { header: { alg } })
  const form = { client_id, client_secret: undefined, client_assertion_type: assertionType, client_assertion }
  return server.token(form)
}

function proofFor(path: string, key: ReturnType<typeof createTestProofKey>): string {
  return signProof(key, { method: 'POST', url: `${server.issuer}${path}`, now: server.freeze() })
}

/** The key of the examples: PKCS #8 with nothing but a seed of zeros. RFC 9881 §6. */
function zeroSeedKey(alg: (typeof sizes)[number]): KeyObject {
  const last = { 'ML-DSA-44': '11', 'ML-DSA-65': '12', 'ML-DSA-87': '13' }[alg]
  const hex = `3034020100300b06096086480165030403${last}04228020${'00'.repeat(32)}`
  return createPrivateKey({ key: Buffer.from(hex, 'hex'), format: 'der', type: 'pkcs8' })
}

function publicJwkOf(key: KeyObject): { readonly kty: string; readonly pub: string } {
  return { kty: '', pub: '', ...createPublicKey(key).export({ format: 'jwk' }) }
}

function thumbprintOf(key: KeyObject): string {
  const jwk = parsePublicJwk(publicJwkOf(key))
  return jwk ? createHash('sha256').update(thumbprintInput(jwk)).digest('base64url') : 'no key'
}

function headerOf(token: string): { readonly alg: string; readonly kid: string } {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
}
