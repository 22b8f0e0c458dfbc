import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { createTestProofKey, type ProofOverrides, type TestProofKey } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, allow, introspected, peopleClients, redeem, startPeopleServer } from './authorized.ts'
import { type ProofFor, proofFor, sha256, statuses, userinfoWith, withProof } from './dpop.ts'
import { type Answer, baseClients, claimsOf, declined, type Harness, type Sent } from './harness.ts'

let server: Harness
let key: TestProofKey
let other: TestProofKey
let certificate: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer()
  key = createTestProofKey()
  other = createTestProofKey()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
})
afterAll(() => server.close())

async function tokenFor(client: string, sent: Partial<Sent> = withProof(proofFor(server, key))): Promise<string> {
  const { form } = allow(server, { client, scope: 'openid' })
  return (await redeem(server, form, { client, ...sent })).json.access_token
}

const proof = (
  accessToken: string,
  overrides: ProofOverrides = {},
  { by = key, ...at }: ProofFor & { by?: TestProofKey } = {},
) => proofFor(server, by, { method: 'GET', path: '/userinfo', accessToken, ...at }, overrides)
const ask = (accessToken: string, dpop: string | readonly string[] | undefined, sent = {}) =>
  userinfoWith(server, accessToken, dpop, sent)
const challengeOf = ({ headers }: Answer) => String(headers['www-authenticate'])

describe('RFC 9449 §7 UserInfo with a bound token', () => {
  it.each(['web', 'web-reference', 'native'])('[RFC9449-7.1-2] answers a proof of %s for the token', async (client) => {
    const token = await tokenFor(client)
    const answer = await ask(token, proof(token))
    expect(answer.json).toEqual({ sub: alice.subject })
    expect(answer.headers['dpop-nonce']).toBeUndefined()
  })

  it('takes the scheme in any letters, POST, HEAD, and the alias', async () => {
    const token = await tokenFor('web')
    expect((await ask(token, proof(token), { scheme: 'dpop' })).status).toBe(200)
    expect((await ask(token, proof(token, {}, { method: 'POST' }), { method: 'POST' })).status).toBe(200)
    expect((await ask(token, proof(token, {}, { method: 'HEAD' }), { method: 'HEAD' })).status).toBe(200)
    expect((await ask(token, proof(token), { method: 'HEAD' })).status).toBe(401)
    expect((await ask(token, proof(token, {}, { on: 'mutualTls' }), { on: 'mutualTls' })).status).toBe(200)
    expect((await ask(token, proof(token), { path: '/userinfo?a=b' })).status).toBe(200)
  })

  it.each([
    ['[RFC9449-7.1-3] [S08] no proof', () => undefined, 'dpop_missing'],
    ['an empty proof', () => '', 'dpop_malformed'],
    ['[S08] two proofs', (token: string) => [proof(token), proof(token)], 'dpop_repeated'],
    ['[RFC9449-4.3-12] no ath', (token: string) => proof(token, { claims: { ath: undefined } }), 'dpop_token_differs'],
    ['[RFC9449-4.3-12] the ath of another token', (token: string) => proof(`${token}A`), 'dpop_token_differs'],
    [
      'an ath with padding',
      (token: string) => proof(token, { claims: { ath: `${proofAth(token)}=` } }),
      'dpop_token_differs',
    ],
    [
      'an ath that is a list',
      (token: string) => proof(token, { claims: { ath: [proofAth(token)] } }),
      'dpop_token_differs',
    ],
    ['[RFC9449-4.3-8] another method', (token: string) => proof(token, {}, { method: 'POST' }), 'dpop_method_differs'],
    ['[RFC9449-4.3-9] another address', (token: string) => proof(token, {}, { path: '/token' }), 'dpop_url_differs'],
    ['the address of the alias', (token: string) => proof(token, {}, { on: 'mutualTls' }), 'dpop_url_differs'],
    [
      '[RFC9449-4.3-11] a stale proof',
      (token: string) => proof(token, { claims: { iat: server.freeze() - 61 } }),
      'dpop_stale',
    ],
    ['[RFC9449-4.3-6] a wrong signature', (token: string) => proof(token, { key: other.key }), 'dpop_signature'],
    ['[RFC9449-11.5-1] another JWT', (token: string) => proof(token, { header: { typ: 'at+jwt' } }), 'dpop_type'],
  ])('[RFC9449-7.1-4, RFC9449-7.1-5, RFC9449-7.1-6] refuses %s', async (_, make, reason) => {
    const token = await tokenFor('web')
    const refused = await declined(server, ask(token, make(token)))
    expect(refused).toMatchObject({ status: 401, error: 'invalid_dpop_proof', reason })
    expect(challengeOf(refused.answer)).toMatch(/^DPoP [^,]*.*error="invalid_dpop_proof"/)
    expect(challengeOf(refused.answer)).toContain('algs="ES256 ')
    expect(challengeOf(refused.answer)).not.toContain('Bearer')
  })

  it('[RFC9449-6-2, RFC9449-7.1-2] [S09] [incident 1] refuses the key of another, with a proof that is right otherwise', async () => {
    for (const client of ['web', 'web-reference', 'native']) {
      const token = await tokenFor(client)
      const refused = await declined(server, ask(token, proof(token, {}, { by: other })))
      expect(refused).toMatchObject({ status: 401, error: 'invalid_token', reason: 'confirmation_proof_differs' })
      expect(challengeOf(refused.answer)).toMatch(/^DPoP .*error="invalid_token"/)
    }
  })

  it('[RFC9449-7.2-1] [incident 20] refuses it as Bearer: with a proof, without, and in a form', async () => {
    const token = await tokenFor('web')
    const asBearer = { status: 401, error: 'invalid_token', reason: 'token_is_dpop' }
    expect(await declined(server, ask(token, undefined, { scheme: 'Bearer' }))).toMatchObject(asBearer)
    const refused = await declined(server, ask(token, proof(token), { scheme: 'Bearer' }))
    expect(refused).toMatchObject(asBearer)
    expect(challengeOf(refused.answer)).toMatch(/^Bearer .*error="invalid_token".*, DPoP /)
    expect(challengeOf(refused.answer).split('error=')).toHaveLength(2)
    const inForm = server.post('/userinfo', { access_token: token }, withProof(proof(token, {}, { method: 'POST' })))
    expect(await declined(server, inForm)).toMatchObject(asBearer)
  })

  it('[incident 20] refuses a token as DPoP that is not bound to a key of it', async () => {
    const unbound = await tokenFor('web', {})
    const certified = await tokenFor('web', { certificate })
    for (const token of [unbound, certified])
      expect(await declined(server, ask(token, proof(token)))).toMatchObject({
        status: 401,
        error: 'invalid_token',
        reason: 'token_is_not_dpop',
      })
    expect((await ask(unbound, 'nonsense', { scheme: 'Bearer' })).status).toBe(200)
  })

  it('refuses what no longer counts, before it looks at a proof', async () => {
    const token = await tokenFor('web')
    await server.post('/revoke', { client_id: 'web', client_secret: 'secret', token })
    const refused = await declined(server, ask(token, proof(token)))
    expect(refused).toMatchObject({ status: 401, error: 'invalid_token', reason: 'token_inactive' })
    expect(challengeOf(refused.answer)).toMatch(/^DPoP /)
  })

  it('asks for the proof also where the client may show none any more', async () => {
    const token = await tokenFor('web')
    const off = [...baseClients, ...peopleClients].map((each) =>
      each.client_id === 'web' ? { ...each, dpop: 'off' as const } : each,
    )
    await server.restart({ clients: off })
    expect(await declined(server, ask(token, undefined))).toMatchObject({ reason: 'dpop_missing' })
    expect((await ask(token, proof(token))).status).toBe(200)
    await server.restart()
  })
})

describe('RFC 9449 §11.1 a proof at UserInfo counts once', () => {
  it('[RFC9449-11.1-2] [T100] in one of 64 requests at once, and not after a restart', async () => {
    const token = await tokenFor('web')
    const used = proof(token)
    const answers = await Promise.all(Array.from({ length: 64 }, () => ask(token, used)))
    expect(statuses(answers)).toEqual({ 200: 1, 401: 63 })
    await server.restart()
    const refused = await declined(server, ask(token, used))
    expect(refused).toMatchObject({ status: 401, error: 'invalid_dpop_proof', reason: 'dpop_replayed' })
    expect(challengeOf(refused.answer)).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
  })

  it('[incident 10] and is not used up by who may not see anything', async () => {
    const { form } = allow(server, { client: 'web', scope: 'api1' })
    const without = (await redeem(server, form, withProof(proofFor(server, key)))).json.access_token
    const claims = { jti: 'one of UserInfo' }
    expect(await declined(server, ask(without, proof(without, { claims })))).toMatchObject({
      status: 403,
      reason: 'scope_insufficient',
    })
    const token = await tokenFor('web')
    expect(await declined(server, ask(token, proof(token, { claims }, { by: other })))).toMatchObject({ status: 401 })
    expect((await ask(token, proof(token, { claims }))).status).toBe(200)
  })

  it('[T110] and too many of a client are refused there, too', async () => {
    await server.restart({ dpop: { proofsPerMinute: 2 } })
    const token = await tokenFor('web')
    expect((await ask(token, proof(token))).status).toBe(200)
    const flooded = await declined(server, ask(token, proof(token)))
    expect(flooded).toMatchObject({ status: 429, error: 'too_many_requests', reason: 'dpop_proofs_exhausted' })
    expect(flooded.answer.headers['retry-after']).toBe('60')
    await server.restart()
  })
})

describe('RFC 9449 §6.2 introspection', () => {
  it.each(['web', 'web-reference'])(
    '[RFC9449-6-1, RFC9449-6.2-1, RFC9449-6.2-2] shows the key of a token of %s, as JSON and signed',
    async (client) => {
      const token = await tokenFor(client)
      const expected = { active: true, token_type: 'DPoP', cnf: { jkt: key.thumbprint } }
      const form = { client_id: client, client_secret: 'secret', token }
      expect((await server.post('/introspect', form)).json).toMatchObject(expected)
      const accept = { headers: { accept: 'application/token-introspection+jwt' } }
      const signed = await server.post('/introspect', form, accept)
      expect(claimsOf(signed.text).token_introspection).toMatchObject(expected)
    },
  )

  it('[RFC9449-6.2-3] asks for no proof, and looks at none', async () => {
    const { access_token } = (await server.token({}, withProof(proofFor(server, key)))).json
    const used = proofFor(server, key, { path: '/introspect' })
    const form = { client_id: 'api1', client_secret: 'api1-secret', token: access_token }
    for (const dpop of [used, used, 'nonsense', ''])
      expect((await server.post('/introspect', form, withProof(dpop))).json).toMatchObject({ token_type: 'DPoP' })
    expect(await introspected(server, access_token)).toMatchObject({ active: true })
  })

  it('nor does revocation', async () => {
    const { access_token } = (await server.token({}, withProof(proofFor(server, key)))).json
    const form = { client_id: 'client', client_secret: 'secret', token: access_token }
    expect((await server.post('/revoke', form, withProof('nonsense'))).status).toBe(200)
    expect(await introspected(server, access_token)).toEqual({ active: false })
  })
})

describe('RFC 9449 §5.2 clients that register themselves', () => {
  const redirect = 'https://app.test/callback'
  const metadata = {
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'client_credentials'],
    scope: 'openid api1',
  }

  it('[RFC9449-5.2-1, RFC9449-5.2-2] have dpop_bound_access_tokens, false unless they say so', async () => {
    const secretToken = 'operator-gave-this-to-a-developer'
    const hashed = `sha256:${sha256(secretToken)}`
    await server.restart({ registration: { initialAccessTokens: [hashed], scopes: ['api1'] } })
    const send = (method: string, path: string, token: string, body?: object) =>
      server.send({
        on: 'public',
        method,
        path,
        headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
    const plain = await send('POST', '/register', secretToken, metadata)
    expect([plain.status, plain.json.dpop_bound_access_tokens]).toEqual([201, false])
    const { json } = await send('POST', '/register', secretToken, { ...metadata, dpop_bound_access_tokens: true })
    expect(json.dpop_bound_access_tokens).toBe(true)
    const { client_id, client_secret, registration_access_token } = json
    const form = { grant_type: 'client_credentials', client_id, client_secret, scope: 'api1' }
    expect(await declined(server, server.post('/token', form))).toMatchObject({ reason: 'dpop_required' })
    const bound = await server.post('/token', form, withProof(proofFor(server, key)))
    expect(claimsOf(bound.json.access_token).cnf).toEqual({ jkt: key.thumbprint })

    const path = `/register?client_id=${client_id}`
    expect((await send('GET', path, registration_access_token)).json.dpop_bound_access_tokens).toBe(true)
    const changed = await send('PUT', path, registration_access_token, { ...metadata, client_id })
    expect(changed.json.dpop_bound_access_tokens).toBe(false)
    expect((await server.post('/token', form)).json.token_type).toBe('Bearer')
    const mistyped = await send('POST', '/register', secretToken, { ...metadata, dpop_bound_access_tokens: 'yes' })
    expect([mistyped.status, mistyped.json.error]).toEqual([400, 'invalid_client_metadata'])
    expect(mistyped.json.error_description).toMatch(/^dpop_bound_access_tokens: /)
    await server.restart()
  })
})

/** What a proof for a token says of it. */
function proofAth(accessToken: string): string {
  return String(claimsOf(proof(accessToken)).ath)
}
