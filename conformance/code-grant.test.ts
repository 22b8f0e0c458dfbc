import { hash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  alice,
  allow,
  api,
  type Code,
  introspected,
  isUnused,
  otherApi,
  redeem,
  startPeopleServer,
} from './authorized.ts'
import { type Answer, claimsOf, declined, type Harness } from './harness.ts'

let server: Harness
beforeAll(async () => {
  server = await startPeopleServer()
})
afterAll(() => server.close())

describe('RFC 6749 §4.1.3 redeeming a code', () => {
  it('[RFC6749-4.1.4-1, RFC7636-4.2-2, RFC7636-4.6-3] gives an access token for the person', async () => {
    const { form } = allow(server)
    const answer = await redeem(server, form)
    expect(answer.status).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.json).toMatchObject({
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'openid profile offline_access api1',
    })
    expect(claimsOf(answer.json.access_token)).toMatchObject({ sub: alice.subject, client_id: 'web', aud: api })
  })

  it('names the authorization in the jti, and says that the token is active', async () => {
    const { form, authorizationId } = allow(server)
    const { access_token } = (await redeem(server, form)).json
    expect(claimsOf(access_token).jti.startsWith(`${authorizationId}.`)).toBe(true)
    expect(await introspected(server, access_token)).toMatchObject({ active: true, sub: alice.subject })
  })

  it('gives a reference token where the client takes those', async () => {
    const { form } = allow(server, { client: 'web-reference' })
    const { access_token } = (await redeem(server, form, { client: 'web-reference' })).json
    expect(access_token).toMatch(/^[\w-]{43}$/)
    expect(await introspected(server, access_token)).toMatchObject({
      active: true,
      sub: alice.subject,
      scope: 'openid profile offline_access api1',
    })
  })

  it('takes a request without redirect_uri when the authorization request named none', async () => {
    const { form } = allow(server, { redirectUriGiven: false })
    expect((await redeem(server, { ...form, redirect_uri: undefined })).status).toBe(200)
  })

  it.each([
    ['[RFC6749-4.1.3-3] [T48] a code that nobody was given', { code: 'A'.repeat(43) }, 'code_unknown'],
    ['[T48] a code of another alphabet', { code: `${'A'.repeat(42)}%` }, 'code_unknown'],
    ['[T48] a code of 50 kB', { code: 'A'.repeat(50_000) }, 'code_unknown'],
    ['[T53] no redirect_uri', { redirect_uri: undefined }, 'code_redirect_uri_differs'],
    [
      '[RFC6749-4.1.3-1, RFC6749-4.1.2-4, RFC6749-10.6-1] [T53] another redirect_uri',
      { redirect_uri: 'https://web.test/other' },
      'code_redirect_uri_differs',
    ],
    [
      '[T53] a redirect_uri in another case',
      { redirect_uri: 'https://WEB.test/callback' },
      'code_redirect_uri_differs',
    ],
    [
      '[T53] a redirect_uri encoded otherwise',
      { redirect_uri: 'https://web.test/call%62ack' },
      'code_redirect_uri_differs',
    ],
    ['[RFC7636-4.6-1] [T54] no code_verifier', { code_verifier: undefined }, 'code_verifier_missing'],
    [
      '[RFC7636-4.4-1, RFC7636-4.6-2] [T58] another code_verifier',
      { code_verifier: 'A'.repeat(43) },
      'code_verifier_wrong',
    ],
    ['a code_verifier that is too short', { code_verifier: 'A'.repeat(42) }, 'code_verifier_wrong'],
    ['a code_verifier that is too long', { code_verifier: 'A'.repeat(129) }, 'code_verifier_wrong'],
  ])('refuses %s, and keeps the code', async (_, wrong, reason) => {
    const code = allow(server)
    expect(await declined(server, redeem(server, { ...code.form, ...wrong }))).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      reason,
    })
    expect(isUnused(server, code)).toBe(true)
  })

  it('refuses a request without a code', async () => {
    const { form } = allow(server)
    expect(await declined(server, redeem(server, { ...form, code: undefined }))).toMatchObject({
      error: 'invalid_request',
      reason: 'code_missing',
    })
  })

  it('[RFC6749-4.1.3-2, RFC6749-10.5-2] [T52] refuses the code of another client, and keeps it', async () => {
    const code = allow(server)
    const other = await declined(server, redeem(server, code.form, { client: 'web-reference' }))
    expect(other).toMatchObject({ status: 400, error: 'invalid_grant', reason: 'code_of_another_client' })
    expect((await redeem(server, code.form)).status).toBe(200)
  })

  it('[T46] refuses a client that is not registered for the grant', async () => {
    const { form } = allow(server)
    const refused = await declined(server, redeem(server, form, { client: 'other' }))
    expect(refused).toMatchObject({ error: 'unauthorized_client', reason: 'grant_type_not_allowed' })
  })

  it('[RFC6749-4.1.2-1, RFC6749-10.5-1] [T49] takes a code in its last second, and refuses it in the next', async () => {
    expect((await redeem(server, allow(server, { age: 59 }).form)).status).toBe(200)
    const refused = await declined(server, redeem(server, allow(server, { age: 60 }).form))
    expect(refused).toMatchObject({ error: 'invalid_grant', reason: 'code_expired' })
  })
})

describe('tries with a code', () => {
  const tryOften = async (code: Code, times: number, attempt: () => Promise<Answer>) => {
    for (let count = 0; count < times; count++) await attempt()
    return await redeem(server, code.form)
  }

  it('[T58] survives four wrong verifiers, and not the fifth', async () => {
    for (const [times, status] of [
      [4, 200],
      [5, 400],
    ] as const) {
      const code = allow(server)
      const wrong = () => redeem(server, { ...code.form, code_verifier: 'A'.repeat(43) })
      expect((await tryOften(code, times, wrong)).status).toBe(status)
    }
    expect(server.reports.at(-1)).toMatchObject({ reason: 'code_tries_exhausted' })
  })

  it('[T52] survives four tries of another client, and not the fifth', async () => {
    for (const [times, status] of [
      [4, 200],
      [5, 400],
    ] as const) {
      const code = allow(server)
      const foreign = () => redeem(server, code.form, { client: 'web-reference' })
      expect((await tryOften(code, times, foreign)).status).toBe(status)
    }
  })

  it('[RFC9700-4.5] says nothing of how long to wait', async () => {
    const code = allow(server)
    const wrong = () => redeem(server, { ...code.form, code_verifier: 'A'.repeat(43) })
    const { status, headers, json } = await tryOften(code, 5, wrong)
    expect({ status, error: json.error, wait: headers['retry-after'] }).toEqual({
      status: 400,
      error: 'invalid_grant',
      wait: undefined,
    })
  })
})

describe('using a code once', () => {
  it('[RFC6749-4.1.2-2] [T51] gives exactly one of 64 requests at once its tokens, and revokes nothing', async () => {
    const { form } = allow(server)
    const answers = await Promise.all(Array.from({ length: 64 }, () => redeem(server, form)))
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    expect(new Set(answers.filter(({ status }) => status !== 200).map(({ json }) => json.error))).toEqual(
      new Set(['invalid_grant']),
    )
    expect(await introspected(server, won[0]?.json.access_token)).toMatchObject({ active: true })
  })

  it('[RFC6749-4.1.2-3] revokes what a code gave when its client replays it', async () => {
    const code = allow(server)
    const { access_token, refresh_token } = (await redeem(server, code.form)).json
    server.advance(2)
    expect(await declined(server, redeem(server, code.form))).toMatchObject({
      error: 'invalid_grant',
      reason: 'code_replayed',
    })
    expect(await introspected(server, access_token)).toEqual({ active: false })
    const refresh = await declined(server, redeem(server, { grant_type: 'refresh_token', refresh_token }))
    expect(refresh).toMatchObject({ error: 'invalid_grant' })
  })

  it.each([
    ['a wrong verifier', { code_verifier: 'A'.repeat(43) }, {}],
    ['another redirect_uri', { redirect_uri: 'https://web.test/other' }, {}],
    ['another client', {}, { client: 'web-reference' }],
  ])('revokes nothing when it is replayed with %s', async (_, wrong, sent) => {
    const code = allow(server)
    const { access_token } = (await redeem(server, code.form)).json
    server.advance(2)
    expect((await redeem(server, { ...code.form, ...wrong }, sent)).json.error).toBe('invalid_grant')
    expect(await introspected(server, access_token)).toMatchObject({ active: true })
  })
})

describe('what a code gives', () => {
  it('[T59] may be less than was allowed', async () => {
    const { form } = allow(server)
    const answer = await redeem(server, { ...form, scope: 'api1' })
    expect(answer.json).toMatchObject({ scope: 'api1' })
    expect(answer.json.id_token).toBeUndefined()
  })

  it.each([
    ['[T59] a scope that was not allowed', { scope: 'api1 email' }, 'invalid_scope'],
    ['[T60] an API that no scope leads to', { resource: otherApi }, 'invalid_target'],
    ['[T60] an unknown API', { resource: 'https://unknown.test' }, 'invalid_target'],
  ])('is never more: %s', async (_, wrong, error) => {
    const code = allow(server)
    expect(await declined(server, redeem(server, { ...code.form, ...wrong }))).toMatchObject({ status: 400, error })
    expect(isUnused(server, code)).toBe(true)
  })

  it('[RFC8707-2.2] is for the resources that were allowed, or one of them', async () => {
    const both = { scope: 'api1 api2', resources: [api, otherApi] }
    const all = await redeem(server, allow(server, both).form)
    expect(claimsOf(all.json.access_token).aud).toEqual([api, otherApi])
    const one = await redeem(server, { ...allow(server, both).form, resource: otherApi })
    expect(claimsOf(one.json.access_token)).toMatchObject({ aud: otherApi, scope: 'api2' })
    const foreign = redeem(server, { ...allow(server, { ...both, resources: [api] }).form, resource: otherApi })
    expect(await declined(server, foreign)).toMatchObject({ error: 'invalid_target', reason: 'resource_unknown' })
  })

  it('is for the issuer when no scope belongs to an API', async () => {
    const { form } = allow(server, { scope: 'openid email' })
    expect(claimsOf((await redeem(server, form)).json.access_token)).toMatchObject({
      aud: server.issuer,
      scope: 'openid email',
    })
  })

  it('[RFC9396-7] carries authorization details into answer, token and introspection', async () => {
    const details = [{ type: 'payment', amount: 3 }]
    const answer = await redeem(server, allow(server, { details }).form)
    expect(answer.json.authorization_details).toEqual(details)
    expect(claimsOf(answer.json.access_token).authorization_details).toEqual(details)
    expect((await introspected(server, answer.json.access_token)).authorization_details).toEqual(details)
  })

  it.each([
    ['a web client with offline_access', 'web', 'openid offline_access', true],
    ['a web client without', 'web', 'openid api1', false],
    ['a native client', 'native', 'openid api1', true],
    ['a client that is not registered for it', 'no-refresh', 'openid offline_access', false],
  ])('has a refresh token for %s', async (_, client, scope, given) => {
    const answer = await redeem(server, allow(server, { client, scope }).form, { client })
    expect(answer.status).toBe(200)
    expect('refresh_token' in answer.json).toBe(given)
  })
})

describe('OpenID Connect Core §3.1.3.3 the ID token', () => {
  const idTokenOf = async (answer: Answer, audience: string) => {
    const keys = (await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })).json
    return await jwtVerify(answer.json.id_token, createLocalJWKSet(keys), { issuer: server.issuer, audience })
  }

  it('[OIDC.Core-2] tells who signed in, when and how, and repeats the nonce', async () => {
    const answer = await redeem(server, allow(server, { nonce: 'n-0S6' }).form)
    const { payload, protectedHeader } = await idTokenOf(answer, 'web')
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'JWT' })
    expect(payload).toMatchObject({ sub: alice.subject, nonce: 'n-0S6', amr: ['pwd'], acr: '0', sid: 'sid' })
    expect(payload.auth_time).toBe((payload.iat ?? 0) - 10)
  })

  it('[OIDC.Core-3.1.3.6] has the hash of the access token', async () => {
    const answer = await redeem(server, allow(server).form)
    const { payload } = await idTokenOf(answer, 'web')
    const digest = hash('sha256', answer.json.access_token, 'buffer')
    expect(payload.at_hash).toBe(digest.subarray(0, 16).toString('base64url'))
  })

  it('is not given without openid', async () => {
    const answer = await redeem(server, allow(server, { scope: 'profile api1' }).form)
    expect(answer.status).toBe(200)
    expect(answer.json.id_token).toBeUndefined()
  })

  it('[OIDC.Core-8.1] has a subject of its own for each sector, the same as the access token', async () => {
    const subjects = await Promise.all(
      ['user:alice', 'user:alice', 'user:bob'].map(async (subject) => {
        const answer = await redeem(server, allow(server, { client: 'pairwise', subject }).form, { client: 'pairwise' })
        expect(claimsOf(answer.json.access_token).sub).toBe(claimsOf(answer.json.id_token).sub)
        return claimsOf(answer.json.id_token).sub
      }),
    )
    expect(subjects[0]).toMatch(/^pair:[\w-]{43}$/)
    expect(subjects[1]).toBe(subjects[0])
    expect(subjects[2]).not.toBe(subjects[0])
  })
})

describe('people', () => {
  it('[T69] gets nothing for somebody who is not there any more', async () => {
    const { form } = allow(server, { subject: 'user:gone' })
    expect(await declined(server, redeem(server, form))).toMatchObject({
      error: 'invalid_grant',
      reason: 'person_gone',
    })
  })
})

describe('OpenID Connect Discovery §3 the signature of ID tokens', () => {
  it('[OIDC.Core-2] is the one that the client is registered for; there is always RS256', async () => {
    const lengths = {
      ES384: 32,
      ES512: 43,
      EdDSA: 43,
      Ed25519: 43,
      PS256: 22,
      RS256: 22,
      'ML-DSA-44': undefined,
      'ML-DSA-65': undefined,
      'ML-DSA-87': undefined,
    } as const
    const algorithms = Object.keys(lengths) as (keyof typeof lengths)[]
    const own = await startPeopleServer((settings) => ({
      ...settings,
      clients: algorithms.map((algorithm) => ({
        client_id: algorithm,
        client_secret: 'secret',
        grant_types: ['authorization_code'],
        redirect_uris: ['https://web.test/callback'],
        scope: 'openid',
        id_token_signed_response_alg: algorithm,
      })),
    }))
    onTestFinished(() => own.close())
    for (const client of algorithms) {
      const { json } = await redeem(own, allow(own, { client, scope: 'openid' }).form, { client })
      const { alg, typ } = JSON.parse(Buffer.from(json.id_token.split('.')[0], 'base64url').toString())
      expect({ alg, typ }).toEqual({ alg: client, typ: 'JWT' })
      expect(claimsOf(json.id_token).at_hash?.length).toBe(lengths[client])
    }
    const metadata = await own.send({
      on: 'public',
      method: 'GET',
      path: '/.well-known/openid-configuration',
      headers: {},
    })
    expect(metadata.json.id_token_signing_alg_values_supported).toEqual(['ES256', ...algorithms])
  })
})
