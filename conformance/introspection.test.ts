import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Answer,
  api,
  assertion,
  assertionType,
  baseClients,
  basic,
  claimsOf,
  declined,
  type Form,
  type Harness,
  type Sent,
  signatureOf,
  startServer,
} from './harness.ts'

const otherApi = 'https://other-api.test'
const generated = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = generated.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

let server: Harness
beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    apis: [...settings.apis, { identifier: otherApi, scopes: ['api2'] }],
    clients: [
      ...baseClients,
      { client_id: 'api2', client_secret: 'api2-secret', grant_types: [], introspects: [otherApi] },
      {
        client_id: 'api-by-key',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [generated.publicKey.export({ format: 'jwk' }) as { kty: string }] },
        grant_types: [],
        introspects: [api],
      },
      {
        client_id: 'bound-api',
        client_secret: 'secret',
        tls_client_certificate_bound_access_tokens: true,
        grant_types: [],
        introspects: [api],
      },
      { client_id: 'public-api', token_endpoint_auth_method: 'none', grant_types: [], introspects: [api] },
    ],
  }))
})
afterAll(() => server.close())

const introspect = (form: Form, sent?: Partial<Sent>): Promise<Answer> =>
  server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', ...form }, sent)
const tokenOf = async (client = 'client', sent?: Partial<Sent>): Promise<string> =>
  (await server.token({ client_id: client }, sent)).json.access_token
const inactive = '{"active":false}'

/** What two answers must share: everything but the moment. */
const shown = ({ status, headers: { date: _, ...headers }, text }: Answer) => ({ status, headers, text })

describe('RFC 7662 §2.2 what introspection says', () => {
  it.each([
    ['a JWT', 'client'],
    ['a reference token', 'reference'],
  ])('describes %s to its API', async (_, client) => {
    const answer = await introspect({ token: await tokenOf(client) })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(answer.json).toEqual({
      active: true,
      iss: server.issuer,
      sub: client,
      aud: api,
      client_id: client,
      scope: 'api1',
      token_type: 'Bearer',
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.any(String),
    })
    expect(answer.json.exp - answer.json.iat).toBe(3600)
  })

  it.each(['client', 'reference'])('[RFC8705-3.2] shows the cnf of a bound token of %s', async (client) => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await introspect({ token: await tokenOf(client, { certificate }) })
    expect(answer.json).toMatchObject({ active: true, cnf: { 'x5t#S256': certificate.thumbprint } })
  })

  it('lets a client ask about its own token', async () => {
    const token = await tokenOf()
    const answer = await introspect({ client_id: 'client', client_secret: 'secret', token })
    expect(answer.json).toMatchObject({ active: true, client_id: 'client' })
  })

  it('is there on the mTLS listener', async () => {
    const answer = await introspect({ token: await tokenOf() }, { on: 'mutualTls' })
    expect(answer.json.active).toBe(true)
  })

  it('demands no certificate from an API that is registered as bound', async () => {
    const answer = await introspect({ client_id: 'bound-api', client_secret: 'secret', token: await tokenOf() })
    expect(answer.json.active).toBe(true)
  })

  it.each(['refresh_token', 'nonsense'])('[I07] takes no notice of the hint %s', async (token_type_hint) => {
    expect((await introspect({ token: await tokenOf('reference'), token_type_hint })).json.active).toBe(true)
  })
})

describe('RFC 7662 §2.1 who may ask', () => {
  const asked = async (form: Form, sent?: Partial<Sent>) =>
    declined(server, server.post('/introspect', { token: 'x', ...form }, sent))

  it('[I01] refuses a request without a client', async () => {
    expect(await asked({})).toMatchObject({ status: 400, error: 'invalid_request', reason: 'client_id_missing' })
  })

  it.each([
    ['a confidential client by its name only', { client_id: 'api1' }, 'client_credentials_missing'],
    ['a public client', { client_id: 'public-api' }, 'introspection_not_allowed'],
    ['a wrong secret', { client_id: 'api1', client_secret: 'wrong' }, 'client_secret_wrong'],
    ['an unknown client', { client_id: 'nobody', client_secret: 'api1-secret' }, 'client_unknown'],
    ['a disabled client', { client_id: 'disabled', client_secret: 'secret' }, 'client_disabled'],
  ])('[I01] refuses %s with 401', async (_, form, reason) => {
    expect(await asked(form)).toMatchObject({ status: 401, error: 'invalid_client', reason })
  })

  it('[I01] challenges who used Basic', async () => {
    const refused = await asked({}, { headers: basic('api1', 'wrong') })
    expect(refused).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
    expect(refused.answer.headers['www-authenticate']).toMatch(/^Basic realm="[^"]+"/)
  })

  it.each(['client', 'reference'])('[I02] takes a token for no credential (%s)', async (client) => {
    const token = await tokenOf(client)
    const refused = await asked({ token }, { headers: { authorization: `Bearer ${token}` } })
    expect(refused).toMatchObject({ status: 401, error: 'invalid_client', reason: 'authorization_scheme_unknown' })
    const own = await asked({ client_id: client, client_secret: token, token })
    expect(own).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_secret_wrong' })
  })

  it.each([{}, { token: '' }])('[I03] refuses a request without a token: %j', async (form) => {
    const refused = await declined(server, introspect(form))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'token_parameter_missing' })
  })

  it('[I10] refuses GET with the token in the query', async () => {
    const path = `/introspect?token=${await tokenOf()}`
    const answer = await server.send({ on: 'public', method: 'GET', path, headers: basic('api1', 'api1-secret') })
    expect([answer.status, answer.headers.allow, answer.json.error]).toEqual([405, 'POST', 'method_not_allowed'])
  })

  it('takes an assertion once', async () => {
    const client_assertion = assertion(key, 'api-by-key', server.issuer)
    const form = [
      ['client_assertion', client_assertion],
      ['client_assertion_type', assertionType],
      ['token', await tokenOf()],
    ] as const
    expect((await server.post('/introspect', form)).json.active).toBe(true)
    const again = await declined(server, server.post('/introspect', form))
    expect(again).toMatchObject({ status: 401, error: 'invalid_client', reason: 'assertion_replayed' })
  })
})

describe('RFC 7662 §2.2 one answer for every token that is not active', () => {
  const signed = (header: object, claims: object) => {
    const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${input}.${signatureOf(input, key, 'ES256')}`
  }
  let reference: Answer
  let jwt: string
  let handle: string
  beforeAll(async () => {
    reference = await introspect({ token: 'unknown' })
    jwt = await tokenOf()
    handle = await tokenOf('reference')
  })

  it('[I04] is exactly {"active":false}', () => {
    expect([reference.status, reference.text]).toEqual([200, inactive])
    expect(reference.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
  })

  it('[I05] a token for another API is answered like an unknown one', async () => {
    const form = { client_id: 'api2', client_secret: 'api2-secret' }
    for (const token of [jwt, handle]) expect(shown(await introspect({ ...form, token }))).toEqual(shown(reference))
  })

  it('[I05] a token of another client is answered like an unknown one', async () => {
    const form = { client_id: 'other', client_secret: 'other-secret' }
    for (const token of [jwt, handle]) expect(shown(await introspect({ ...form, token }))).toEqual(shown(reference))
  })

  it.each([
    ['of random characters', () => 'A'.repeat(43)],
    [
      'that is the handle but for its last character',
      () => `${handle.slice(0, -1)}${handle.endsWith('A') ? 'B' : 'A'}`,
    ],
    ['that is the handle with padding', () => `${handle}=`],
    ['that is the handle with a space', () => ` ${handle}`],
    ['[I06] that is the hash under which the handle is stored', () => Buffer.from(handle).toString('base64url')],
    ['[I11] of five parts', () => 'a.b.c.d.e'],
    ['[I11] with alg none', () => `${b64({ alg: 'none', typ: 'at+jwt' })}.${jwt.split('.')[1]}.`],
    ['[I11] with alg HS256', () => `${b64({ ...decodeProtectedHeader(jwt), alg: 'HS256' })}.${jwt.split('.')[1]}.AAAA`],
    ['with another signature', () => signed(decodeProtectedHeader(jwt), claimsOf(jwt))],
    [
      'of another issuer and kid',
      () => signed({ alg: 'ES256', typ: 'at+jwt', kid: 'x' }, { ...claimsOf(jwt), iss: 'https://evil.test' }),
    ],
    ['[I11] of 20 000 characters', () => 'a.'.repeat(10_000)],
    ['[I11] of 60 000 characters', () => 'A'.repeat(60_000)],
    ['that is a client assertion', () => assertion(key, 'api-by-key', server.issuer)],
  ])('[I04] a token %s', async (_, make) => {
    expect(shown(await introspect({ token: make() }))).toEqual(shown(reference))
  })

  it('[RFC6749-10.3-2] [I04] a JWT whose claims were altered', async () => {
    const [header, , signature] = jwt.split('.')
    const token = `${header}.${b64({ ...claimsOf(jwt), scope: 'api1 admin' })}.${signature}`
    expect(shown(await introspect({ token }))).toEqual(shown(reference))
  })

  it('[I11] a token of 1 MB is refused with 413', async () => {
    const refused = await declined(server, introspect({ token: 'a'.repeat(1_000_000) }))
    expect(refused).toMatchObject({ status: 413, error: 'content_too_large', reason: 'body_too_large' })
  })

  it.each(['client', 'reference'])('[I04] a revoked token of %s', async (client) => {
    const token = await tokenOf(client)
    expect((await introspect({ token })).json.active).toBe(true)
    const revoked = await server.post('/revoke', { client_id: client, client_secret: 'secret', token })
    expect(revoked.status).toBe(200)
    expect(shown(await introspect({ token }))).toEqual(shown(reference))
  })

  it('the answer of introspection itself, as a JWT, is no token', async () => {
    const { text: token } = await introspect({ token: jwt }, { headers: { accept: asJwt } })
    expect(shown(await introspect({ token }))).toEqual(shown(reference))
  })
})

const asJwt = 'application/token-introspection+jwt'
const b64 = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

describe('RFC 9701 the answer as a JWT', () => {
  const verified = async (answer: Answer) => {
    const keys = await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })
    return await jwtVerify(answer.text, createLocalJWKSet(keys.json), { issuer: server.issuer, audience: 'api1' })
  }

  it('[RFC9701-5] is signed for the one who asked and passes for no token', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const token = await tokenOf('client', { certificate })
    const answer = await introspect({ token }, { headers: { accept: asJwt } })
    expect([answer.status, answer.headers['content-type']]).toEqual([200, asJwt])
    const { payload, protectedHeader } = await verified(answer)
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'token-introspection+jwt', kid: expect.any(String) })
    const { jti, iat, exp } = claimsOf(token)
    expect(payload).toEqual({
      iss: server.issuer,
      aud: 'api1',
      iat: expect.any(Number),
      token_introspection: {
        active: true,
        iss: server.issuer,
        sub: 'client',
        aud: api,
        client_id: 'client',
        scope: 'api1',
        token_type: 'Bearer',
        iat,
        exp,
        jti,
        cnf: { 'x5t#S256': certificate.thumbprint },
      },
    })
  })

  it('[RFC9701-5] says no more of an inactive token than that', async () => {
    const { payload } = await verified(await introspect({ token: 'unknown' }, { headers: { accept: asJwt } }))
    expect(payload.token_introspection).toEqual({ active: false })
  })

  it.each([`${asJwt};q=0.9, application/json;q=0.1`, `text/html, ${asJwt.toUpperCase()}`])(
    'comes on Accept: %s',
    async (accept) => {
      const answer = await introspect({ token: 'unknown' }, { headers: { accept } })
      expect(answer.headers['content-type']).toBe(asJwt)
    },
  )

  it.each(['*/*', 'application/json', 'application/jwt', `${asJwt};q=0`])(
    'does not come on Accept: %s',
    async (accept) => {
      const answer = await introspect({ token: 'unknown' }, { headers: { accept } })
      expect(answer.headers['content-type']).toBe('application/json')
    },
  )
})

describe('RFC 7662 §4 what happens to a token and to who guesses', () => {
  let own: Harness
  beforeAll(async () => {
    own = await startServer()
  })
  afterAll(() => own.close())
  const ask = (token: string) => own.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })
  const get = async (client_id: string) => (await own.token({ client_id })).json.access_token

  it.each(['client', 'reference'])(
    '[I04] the last second of a token of %s is active, the next is not',
    async (client) => {
      const moment = own.freeze()
      const token = await get(client)
      expect((await ask(token)).json).toMatchObject({ active: true, exp: moment + 3600 })
      own.advance(3599)
      expect((await ask(token)).json.active).toBe(true)
      own.advance(1)
      expect((await ask(token)).text).toBe(inactive)
    },
  )

  it('[I13] a revoked token is inactive at once', async () => {
    const token = await get('reference')
    await own.post('/revoke', { client_id: 'reference', client_secret: 'secret', token })
    expect((await ask(token)).text).toBe(inactive)
  })

  it.each([
    ['disabled', { edit: true }],
    ['deleted', { edit: false }],
  ])('[I14] the tokens of a client are inactive once it is %s', async (_, { edit }) => {
    const { administer } = own.server.administration
    const tokens: string[] = []
    for (const access_token_format of ['jwt', 'reference']) {
      const clientId = `gone-${access_token_format}`
      const client = { client_id: clientId, scope: 'api1', access_token_format }
      await administer('client-add', { client, secret: { chosen: 'secret' } })
      const token = await get(clientId)
      expect((await ask(token)).json.active).toBe(true)
      if (edit) await administer('client-edit', { clientId, change: { disabled: true } })
      tokens.push(token)
      if (edit) expect((await ask(token)).text).toBe(inactive)
      await administer('client-remove', { clientId })
    }
    for (const token of tokens) expect((await ask(token)).text).toBe(inactive)
  })

  it('[I12] after a thousand inactive tokens a minute the next is 429, an active one is described all the same', async () => {
    const token = await get('client')
    own.advance(61)
    const statuses = await flood(own, 1001)
    expect(statuses.slice(0, 1000).every((status) => status === 200)).toBe(true)
    expect(statuses[1000]).toBe(429)
    const refused = await declined(own, ask('guess'))
    expect(refused).toMatchObject({
      status: 429,
      error: 'too_many_requests',
      reason: 'introspection_guesses_exhausted',
    })
    expect(Number(refused.answer.headers['retry-after'])).toBeGreaterThan(0)
    expect((await ask(token)).json.active).toBe(true)
    const elsewhere = { client_id: 'api1', client_secret: 'api1-secret', token: 'guess' }
    expect((await own.post('/introspect', elsewhere, { from: '127.0.0.2' })).text).toBe(inactive)
    own.advance(61)
    expect((await ask('guess')).text).toBe(inactive)
  })

  it('[I12] a handle has 256 bits of its own', async () => {
    const handles = await Promise.all(Array.from({ length: 20 }, () => get('reference')))
    expect(new Set(handles).size).toBe(20)
    expect(handles.map((handle) => Buffer.from(handle, 'base64url').length)).toEqual(handles.map(() => 32))
  })
})

describe('when the store is down', () => {
  it('[I15] introspection answers 503, neither active nor inactive', async () => {
    const own = await startServer()
    try {
      const form = { client_id: 'api1', client_secret: 'api1-secret' }
      const [jwt, handle] = await Promise.all(
        ['client', 'reference'].map(async (client_id) => (await own.token({ client_id })).json.access_token),
      )
      breakDatabase(own)
      for (const token of [jwt, handle, 'A'.repeat(43)]) {
        const answer = await own.post('/introspect', { ...form, token })
        expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable'])
        expect(answer.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' })
        expect(own.reports.at(-1)).toMatchObject({ reason: 'store_unavailable' })
      }
    } finally {
      await own.close()
    }
  })
})

/** Writes over the database under the running server's feet, as a broken disk would. */
function breakDatabase({ directory }: Harness): void {
  for (const name of ['holdfast.db', 'holdfast.db-wal']) writeFileSync(join(directory, name), Buffer.alloc(8192, 7))
}

function flood({ publicPort, ca }: Harness, times: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const body = 'client_id=api1&client_secret=api1-secret&token=guess'
  const one = () =>
    new Promise<number>((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const outgoing = request(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port: publicPort,
          path: '/introspect',
          method: 'POST',
          ca,
          agent,
          headers,
        },
        (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)),
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  return Promise.all(Array.from({ length: times }, one)).finally(() => agent.destroy())
}
