import { constants, createPublicKey, hash, verify } from 'node:crypto'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, baseClients, claimsOf, declined, type Harness, rowsOf, startServer } from './harness.ts'

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

let server: Harness
beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    apis: [
      ...settings.apis,
      { identifier: 'urn:example:reference', scopes: ['handle'], accessTokens: { format: 'reference', lifetime: 120 } },
      ...algorithms.map((algorithm) => ({
        identifier: `https://${algorithm.toLowerCase()}.test`,
        scopes: [algorithm],
        accessTokens: { algorithm },
      })),
    ],
    clients: [
      ...baseClients,
      { client_id: 'many', client_secret: 'secret', scope: `handle ${algorithms.join(' ')}` },
      { client_id: 'reader', client_secret: 'secret', grant_types: [], introspects: ['urn:example:reference'] },
    ],
  }))
})
afterAll(() => server.close())

function keys() {
  return server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })
}

describe('RFC 9068 §2 JWT access tokens', () => {
  it('[RFC9068-2.1] name their type, key and algorithm, and nothing else, in the header', async () => {
    const { json } = await server.token()
    const header = headerOf(json.access_token)
    expect(header).toEqual({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) })
    expect((await keys()).json.keys.map(({ kid }: { kid: string }) => kid)).toContain(header.kid)
  })

  it('[RFC9068-2.2] carry the claims that are required, and no other', async () => {
    const now = Math.floor(Date.now() / 1000)
    const { json } = await server.token()
    const claims = claimsOf(json.access_token)
    expect(claims).toEqual({
      iss: server.issuer,
      aud: api,
      sub: 'client',
      client_id: 'client',
      scope: 'api1',
      iat: expect.any(Number),
      exp: claims.iat + json.expires_in,
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    })
    expect(Math.abs(claims.iat - now)).toBeLessThan(10)
  })

  it('[RFC9068-2.2] each have a jti of their own', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => server.token()))
    const ids = tokens.map(({ json }) => claimsOf(json.access_token).jti)
    expect(new Set(ids).size).toBe(20)
  })

  it('have a subject that cannot be a person’s, because people have a colon in theirs', async () => {
    expect(claimsOf((await server.token()).json.access_token).sub).not.toContain(':')
  })

  it.each(algorithms)('are signed by %s where their API says so', async (algorithm) => {
    const { json } = await server.token({ client_id: 'many', scope: algorithm })
    const header = headerOf(json.access_token)
    expect(header.alg).toBe(algorithm)
    const jwk = (await keys()).json.keys.find(({ kid }: { kid: string }) => kid === header.kid)
    expect(jwk).toMatchObject({ alg: algorithm, use: 'sig' })
    const [head = '', body = '', signature = ''] = json.access_token.split('.')
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const padding = algorithm === 'PS256' && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    const isSigned = verify(
      /^[EPR]S/.test(algorithm) ? `sha${algorithm.slice(2)}` : null,
      Buffer.from(`${head}.${body}`),
      { key, dsaEncoding: 'ieee-p1363', ...padding },
      Buffer.from(signature, 'base64url'),
    )
    expect(isSigned).toBe(true)
  })

  it('write nothing to the store', async () => {
    const before = rowsOf(server)
    await server.token()
    await server.token({}, { certificate: await createClientCertificate({ name: 'client', keyType: 'P-256' }) })
    expect(rowsOf(server)).toBe(before)
  })
})

describe('reference tokens', () => {
  const asked = { client_id: 'many', scope: 'handle' }
  const introspect = async (token: string) =>
    (await server.post('/introspect', { client_id: 'reader', client_secret: 'secret', token })).json

  it('are 256 random bits that say nothing, stored as their hash', async () => {
    const before = rowsOf(server)
    const { json } = await server.token(asked)
    expect(json.access_token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(json.expires_in).toBe(120)
    expect(rowsOf(server)).toBe(before + 1)
    expect(await stored(json.access_token)).toEqual({ plain: false, hashed: true })
  })

  it('are described by introspection as a JWT would describe itself', async () => {
    const certificate = await createClientCertificate({ name: 'many', keyType: 'P-256' })
    const { json } = await server.token(asked, { certificate })
    const told = await introspect(json.access_token)
    expect(told).toEqual({
      active: true,
      iss: server.issuer,
      sub: 'many',
      aud: 'urn:example:reference',
      client_id: 'many',
      scope: 'handle',
      token_type: 'Bearer',
      iat: expect.any(Number),
      exp: told.iat + 120,
      jti: expect.any(String),
      cnf: { 'x5t#S256': certificate.thumbprint },
    })
  })

  it('have no cnf where nothing was bound', async () => {
    const { json } = await server.token(asked)
    expect(await introspect(json.access_token)).not.toHaveProperty('cnf')
  })

  it('survive a restart, with what they are bound to, to their last second', async () => {
    const certificate = await createClientCertificate({ name: 'many', keyType: 'P-256' })
    const { json } = await server.token(asked, { certificate })
    await server.restart()
    const now = server.freeze()
    const told = await introspect(json.access_token)
    expect(told.cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    server.advance(told.exp - now - 1)
    expect((await introspect(json.access_token)).active).toBe(true)
    server.advance(1)
    expect(await introspect(json.access_token)).toEqual({ active: false })
  })

  it('are not made for a request that is refused', async () => {
    for (const wrong of [{ client_secret: 'wrong' }, { scope: 'other' }, { resource: 'https://other.test' }])
      expect((await declined(server, server.token({ ...asked, ...wrong }))).status).toBeGreaterThanOrEqual(400)
  })
})

async function stored(token: string) {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(`${server.directory}/holdfast.db`, { readOnly: true })
  const count = (value: string) =>
    Number(database.prepare('select count(*) as count from reference_token where hash = ?').get(value)?.count)
  const found = { plain: count(token) > 0, hashed: count(hash('sha256', token, 'base64url')) > 0 }
  database.close()
  return found
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into headers
function headerOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
}
