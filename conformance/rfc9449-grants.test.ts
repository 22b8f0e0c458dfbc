import { generateKeyPairSync } from 'node:crypto'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { createTestProofKey, type TestProofKey } from '@holdfast/pop/testing'
import type { SettingsInput } from 'holdfast'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Allowed, allow, api, introspected, isUnused, redeem, startPeopleServer } from './authorized.ts'
import { createVerifier, openBrowser, type Page } from './browser.ts'
import { proofFor, statuses, withProof } from './dpop.ts'
import { type Answer, assertion, assertionType, claimsOf, declined, type Harness, type Sent } from './harness.ts'

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const redirect = 'http://127.0.0.1/callback'

const everything = {
  redirect_uris: [redirect],
  grant_types: ['authorization_code', 'refresh_token', deviceGrant],
  scope: 'openid offline_access api1',
  consent: 'skip',
} as const
const open = { ...everything, token_endpoint_auth_method: 'none', application_type: 'native' } as const
const secret = { client_secret: 'secret' } as const
const withSecret = {
  ...everything,
  ...secret,
  grant_types: [...everything.grant_types, 'client_credentials', exchangeGrant],
} as const

const generated = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signingKey = generated.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const clients: SettingsInput['clients'] = [
  { ...open, client_id: 'native' },
  { ...open, client_id: 'native-dpop', dpop_bound_access_tokens: true },
  { ...open, client_id: 'native-spared', dpop: 'refresh-tokens' },
  {
    ...open,
    client_id: 'native-spared-bound',
    dpop: 'refresh-tokens',
    tls_client_certificate_bound_access_tokens: true,
  },
  { ...withSecret, client_id: 'web' },
  { ...withSecret, client_id: 'web-dpop', dpop_bound_access_tokens: true },
  { ...withSecret, client_id: 'web-off', dpop: 'off' },
  { ...withSecret, client_id: 'web-bound', tls_client_certificate_bound_access_tokens: true },
  {
    ...withSecret,
    client_id: 'web-both',
    dpop_bound_access_tokens: true,
    tls_client_certificate_bound_access_tokens: true,
  },
  { ...withSecret, client_id: 'api', introspects: [api] },
  {
    client_id: 'asserting',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...generated.publicKey.export({ format: 'jwk' }), kty: 'EC' }] },
    scope: 'api1',
  },
]

let server: Harness
let key: TestProofKey
let other: TestProofKey
let certificate: CertificatePair
let expired: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer((settings) => ({
    ...settings,
    mutualTls: {},
    clients: [...clients, { client_id: 'api1', client_secret: 'api1-secret', grant_types: [], introspects: [api] }],
  }))
  key = createTestProofKey()
  other = createTestProofKey()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256', days: 3650 })
  expired = await createClientCertificate({ name: 'phone', keyType: 'P-256', days: 1 })
})
afterAll(() => server.close())

type Asked = Partial<Sent> & { readonly client?: string }

/** A proof by the key for a token request, on the listener that the request goes to. */
const shown = (by: TestProofKey = key, sent: Partial<Sent> = {}) =>
  withProof(proofFor(server, by, { on: sent.certificate ? 'mutualTls' : 'public' }), sent)
const jktOf = ({ json }: Answer) => claimsOf(json.access_token).cnf?.jkt

function begin(client: string, sent: Partial<Sent> = {}, allowed: Partial<Allowed> = {}): Promise<Answer> {
  const { form } = allow(server, { client, scope: everything.scope, redirectUri: redirect, ...allowed })
  return redeem(server, form, { client, ...sent })
}

const refresh = (refresh_token: string, { client = 'native', ...sent }: Asked = {}) =>
  redeem(server, { grant_type: 'refresh_token', refresh_token }, { client, ...sent })

const exchange = (subject_token: string, { client = 'web', ...sent }: Asked = {}) =>
  redeem(
    server,
    { grant_type: exchangeGrant, subject_token, subject_token_type: accessTokenType, scope: 'api1' },
    { client, ...sent },
  )

describe('RFC 9449 §5 every grant', () => {
  it('[RFC9449-5-3, RFC9449-5-4] a code gives a bound token', async () => {
    for (const client of ['native', 'native-dpop', 'web', 'web-dpop']) {
      const answer = await begin(client, shown())
      expect(answer.json.token_type).toBe('DPoP')
      expect(jktOf(answer)).toBe(key.thumbprint)
    }
  })

  it('[RFC9449-5-3] client credentials, with an assertion', async () => {
    const form = () => ({
      grant_type: 'client_credentials',
      client_assertion_type: assertionType,
      client_assertion: assertion(signingKey, 'asserting', server.issuer, {
        claims: { iat: server.freeze(), exp: server.freeze() + 60 },
      }),
    })
    expect(jktOf(await server.post('/token', form(), shown()))).toBe(key.thumbprint)
    const same = form()
    const bad = withProof(proofFor(server, key, {}, { claims: { htm: 'GET' } }))
    expect(await declined(server, server.post('/token', same, bad))).toMatchObject({ reason: 'dpop_method_differs' })
    const used = shown()
    expect((await server.post('/token', form(), used)).status).toBe(200)
    expect(await declined(server, server.post('/token', same, used))).toMatchObject({ reason: 'dpop_replayed' })
    const again = shown()
    expect((await server.post('/token', same, again)).status).toBe(200)
    expect(await declined(server, server.post('/token', same, shown()))).toMatchObject({ reason: 'assertion_replayed' })
  })

  it('[T109] the proof of a request whose assertion was used is not used up', async () => {
    const claims = { iat: server.freeze(), exp: server.freeze() + 60 }
    const client_assertion = assertion(signingKey, 'asserting', server.issuer, { claims })
    const form = { grant_type: 'client_credentials', client_assertion_type: assertionType, client_assertion }
    const proof = shown()
    expect((await server.post('/token', form, shown())).status).toBe(200)
    expect(await declined(server, server.post('/token', form, proof))).toMatchObject({ reason: 'assertion_replayed' })
    const fresh = assertion(signingKey, 'asserting', server.issuer, { claims: { ...claims, iat: claims.iat - 1 } })
    expect((await server.post('/token', { ...form, client_assertion: fresh }, proof)).status).toBe(200)
  })

  it.each(['native-dpop', 'web-dpop'])(
    '[RFC9449-5.2-2] [T78] [incident 17] without a proof none gives %s anything, and nothing is used up',
    async (client) => {
      const required = { status: 400, error: 'invalid_request', reason: 'dpop_required' }
      const code = allow(server, { client, scope: everything.scope, redirectUri: redirect })
      expect(await declined(server, redeem(server, code.form, { client }))).toMatchObject(required)
      expect(isUnused(server, code)).toBe(true)
      const begun = await redeem(server, code.form, { client, ...shown() })
      expect(await declined(server, refresh(begun.json.refresh_token, { client }))).toMatchObject(required)
      expect((await refresh(begun.json.refresh_token, { client, ...shown() })).status).toBe(200)
      const device_code = await approved(client)
      expect(await declined(server, poll(device_code, { client }))).toMatchObject(required)
      expect((await poll(device_code, { client, ...shown() })).status).toBe(200)
      if (client === 'native-dpop') return
      const own = { grant_type: 'client_credentials', scope: 'api1' }
      expect(await declined(server, redeem(server, own, { client }))).toMatchObject(required)
      const subject = (await redeem(server, own, { client, ...shown() })).json.access_token
      expect(await declined(server, exchange(subject, { client }))).toMatchObject(required)
      expect(jktOf(await exchange(subject, { client, ...shown() }))).toBe(key.thumbprint)
    },
  )

  it('a certificate is no proof: who is registered for proofs alone is refused with one', async () => {
    const asked = begin('web-dpop', { certificate })
    expect(await declined(server, asked)).toMatchObject({ reason: 'dpop_required' })
  })

  it('[RFC9449-5-2] a client for which DPoP is off is told so', async () => {
    expect(await declined(server, begin('web-off', shown()))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'dpop_off',
    })
    expect((await begin('web-off')).json.token_type).toBe('Bearer')
  })

  it('[RFC9449-11.8-1] the key in a proof is that of its signature: nobody binds a token to the key of another', async () => {
    const header = { jwk: { ...key.jwk } }
    const foreign = withProof(proofFor(server, other, {}, { header }))
    expect(await declined(server, begin('native', foreign))).toMatchObject({ reason: 'dpop_signature' })
  })

  it('[T100] one proof is good for one of 64 codes at once, and the others stay', async () => {
    const codes = Array.from({ length: 64 }, () =>
      allow(server, { client: 'native', scope: everything.scope, redirectUri: redirect }),
    )
    const used = shown()
    const answers = await Promise.all(codes.map(({ form }) => redeem(server, form, { client: 'native', ...used })))
    expect(statuses(answers)).toEqual({ 200: 1, 400: 63 })
    expect(codes.filter((code) => isUnused(server, code))).toHaveLength(63)
  })

  it('[RFC6749-4.1.2] a code replayed with its own proof ends what it gave, as without one', async () => {
    const { form } = allow(server, { client: 'native', scope: everything.scope, redirectUri: redirect })
    const sent = { client: 'native', ...shown() }
    const { access_token } = (await redeem(server, form, sent)).json
    server.advance(1)
    expect(await declined(server, redeem(server, form, sent))).toMatchObject({ reason: 'code_used' })
    expect((await introspected(server, access_token)).active).toBe(true)
    server.advance(1)
    expect(await declined(server, redeem(server, form, sent))).toMatchObject({ reason: 'code_replayed' })
    expect((await introspected(server, access_token)).active).toBe(false)
  })
})

describe('certificate and proof together', () => {
  it('[T77] DPoP binds, and the certificate does not', async () => {
    const answer = await begin('web-bound', shown(key, { certificate }))
    expect(answer.json.token_type).toBe('DPoP')
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ jkt: key.thumbprint })
  })

  it('[T77] who is registered for both brings both', async () => {
    expect(claimsOf((await begin('web-both', shown(key, { certificate }))).json.access_token).cnf).toEqual({
      jkt: key.thumbprint,
    })
    expect(await declined(server, begin('web-both', shown()))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'certificate_required',
    })
    expect(await declined(server, begin('web-both', { certificate }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'dpop_required',
    })
  })

  it('who is registered for certificates brings it beside a proof', async () => {
    expect(await declined(server, begin('web-bound', shown()))).toMatchObject({ reason: 'certificate_required' })
    expect(claimsOf((await begin('web-bound', { certificate })).json.access_token).cnf).toEqual({
      'x5t#S256': certificate.thumbprint,
    })
  })

  it('a certificate that does not count is not judged', async () => {
    server.advance(86_400 * 2)
    expect(await declined(server, begin('web-bound', { certificate: expired }))).toMatchObject({
      reason: 'certificate_expired',
    })
    expect((await begin('web', shown(key, { certificate: expired }))).json.token_type).toBe('DPoP')
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    expect((await begin('web', shown(key, { certificate: expired }))).json.token_type).toBe('DPoP')
    expect(await declined(server, begin('web', { certificate: expired }))).toMatchObject({
      reason: 'certificate_expired',
    })
    await server.restart()
  })
})

describe('RFC 9449 §5 refresh tokens of public clients', () => {
  it('[RFC9449-5-5] stay, and give tokens bound to the key', async () => {
    const { refresh_token } = (await begin('native', shown())).json
    for (let times = 0; times < 3; times++) {
      const answer = await refresh(refresh_token, shown())
      expect(jktOf(answer)).toBe(key.thumbprint)
      expect(answer.json.refresh_token).toBeUndefined()
    }
  })

  it('[RFC9449-5-6] [T106] [incident 2] are refused to another key, to none, and to a certificate; they stay', async () => {
    const { refresh_token } = (await begin('native', shown())).json
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    for (const sent of [shown(other), {}, { certificate }])
      expect(await declined(server, refresh(refresh_token, sent))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        reason: 'refresh_token_key_not_shown',
      })
    await server.restart()
    expect((await refresh(refresh_token, shown())).status).toBe(200)
  })

  it('are refused to a certificate that carries the key of the proof, and the other way round', async () => {
    const certified = createTestProofKey()
    const same = await createClientCertificate({
      name: 'phone',
      keyType: 'P-256',
      days: 3650,
      key: certified.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    })
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    const byProof = (await begin('native', shown(certified))).json
    const byCertificate = (await begin('native', { certificate: same })).json
    const notShown = { error: 'invalid_grant', reason: 'refresh_token_key_not_shown' }
    expect(await declined(server, refresh(byProof.refresh_token, { certificate: same }))).toMatchObject(notShown)
    expect(await declined(server, refresh(byCertificate.refresh_token, shown(certified)))).toMatchObject(notShown)
    await server.restart()
  })

  it('[T108] begin to be bound when a proof comes: then so is all that follows', async () => {
    const begun = (await begin('native')).json
    expect(begun.token_type).toBe('Bearer')
    const answer = await refresh(begun.refresh_token, shown())
    expect(jktOf(answer)).toBe(key.thumbprint)
    const next = answer.json.refresh_token
    expect(await declined(server, refresh(next))).toMatchObject({ reason: 'refresh_token_key_not_shown' })
    expect((await refresh(next, shown())).status).toBe(200)
  })

  it('a refused or used proof does not use one up that is replaced at each use', async () => {
    const { refresh_token } = (await begin('native')).json
    const bad = withProof(proofFor(server, key, {}, { claims: { iat: 0 } }))
    expect(await declined(server, refresh(refresh_token, bad))).toMatchObject({ reason: 'dpop_stale' })
    const used = shown()
    await begin('native', used)
    expect(await declined(server, refresh(refresh_token, used))).toMatchObject({ reason: 'dpop_replayed' })
    expect((await refresh(refresh_token, shown())).status).toBe(200)
  })
})

describe('RFC 9449 §5 refresh tokens of clients that authenticate', () => {
  it('[RFC9449-5-10] [T107] take another key, to which the new token is bound', async () => {
    const { refresh_token } = (await begin('web', shown())).json
    expect(jktOf(await refresh(refresh_token, { client: 'web', ...shown(other) }))).toBe(other.thumbprint)
  })

  it('or a certificate, but not nothing: what began bound stays bound', async () => {
    const { refresh_token } = (await begin('web', shown())).json
    expect(await declined(server, refresh(refresh_token, { client: 'web' }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'grant_began_bound',
    })
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    const answer = await refresh(refresh_token, { client: 'web', certificate })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    await server.restart()
  })

  it('[T108] may begin with a proof', async () => {
    const { refresh_token } = (await begin('web')).json
    expect(jktOf(await refresh(refresh_token, { client: 'web', ...shown() }))).toBe(key.thumbprint)
  })
})

describe('RFC 9449 §5 a proof for the refresh token alone', () => {
  const client = 'native-spared'

  it('[RFC9449-5-8] leaves the access token as it is, and binds what renews it', async () => {
    const { json } = await begin(client, shown())
    expect(json.token_type).toBe('Bearer')
    expect(claimsOf(json.access_token).cnf).toBeUndefined()
    expect(await introspected(server, json.access_token)).toMatchObject({ active: true, token_type: 'Bearer' })
    expect(await declined(server, refresh(json.refresh_token, { client, ...shown(other) }))).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_key_not_shown',
    })
    const answer = await refresh(json.refresh_token, { client, ...shown() })
    expect(answer.json).toMatchObject({ token_type: 'Bearer' })
    expect(answer.json.refresh_token).toBeUndefined()
  })

  it('is demanded, and judged like any other', async () => {
    expect(await declined(server, begin(client))).toMatchObject({ error: 'invalid_request', reason: 'dpop_required' })
    const used = shown()
    expect((await begin(client, used)).status).toBe(200)
    expect(await declined(server, begin(client, used))).toMatchObject({ reason: 'dpop_replayed' })
  })

  it('leaves no token unbound where certificates bind', async () => {
    const bound = 'native-spared-bound'
    expect(await declined(server, begin(bound, shown()))).toMatchObject({ reason: 'certificate_required' })
    const begun = (await begin(bound, shown(key, { certificate }))).json
    expect(begun.token_type).toBe('Bearer')
    expect(claimsOf(begun.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    const withOther = shown(other, { certificate })
    expect(await declined(server, refresh(begun.refresh_token, { client: bound, ...withOther }))).toMatchObject({
      reason: 'refresh_token_key_not_shown',
    })
  })

  it('binds the access token to a certificate that counts', async () => {
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    const { json } = await begin(client, shown(key, { certificate }))
    expect(claimsOf(json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect(await declined(server, refresh(json.refresh_token, { client, ...shown() }))).toMatchObject({
      reason: 'grant_began_bound',
    })
    await server.restart()
  })

  it('leaves no grant unbound that began bound', async () => {
    const { refresh_token } = (await begin('native', shown())).json
    const spared = clients.map((each) => (each.client_id === 'native' ? { ...each, dpop: 'refresh-tokens' } : each))
    await server.restart({ clients: spared as NonNullable<SettingsInput['clients']> })
    expect(await declined(server, refresh(refresh_token, shown()))).toMatchObject({ reason: 'grant_began_bound' })
    await server.restart()
  })
})

const begunDevice = (client = 'native', sent: Partial<Sent> = {}) =>
  server.post('/device_authorization', { client_id: client, ...(client.startsWith('native') ? {} : secret) }, sent)
const poll = (device_code: string, { client = 'native', ...sent }: Asked = {}) =>
  redeem(server, { grant_type: deviceGrant, device_code }, { client, ...sent })
const shownToDevices = (by = key) => withProof(proofFor(server, by, { path: '/device_authorization' }))

async function approve(begun: Answer): Promise<string> {
  const browser = openBrowser(server)
  const entered = await browser.submit(await browser.get('/device'), { user_code: begun.json.user_code })
  const page = await browser.submit(entered, { username: 'alice', password: 'alice' })
  await browser.submit(page, { decision: 'allow' })
  return begun.json.device_code
}
const approved = async (client = 'native', sent: Partial<Sent> = {}) => approve(await begunDevice(client, sent))

describe('RFC 8628 a device with a key', () => {
  it.each(['native', 'web'])('the code of %s is bound to the proof that it was begun with', async (client) => {
    const device_code = await approved(client, shownToDevices())
    for (const sent of [{}, shown(other)])
      expect(await declined(server, poll(device_code, { client, ...sent }))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        reason: 'device_code_key_not_shown',
      })
    expect(jktOf(await poll(device_code, { client, ...shown() }))).toBe(key.thumbprint)
  })

  it('may begin without one, and show it later', async () => {
    expect(jktOf(await poll(await approved(), shown()))).toBe(key.thumbprint)
    expect((await begunDevice('native-dpop')).status).toBe(200)
  })

  it('has a bound refresh token', async () => {
    const { refresh_token } = (await poll(await approved(), shown())).json
    expect(await declined(server, refresh(refresh_token, shown(other)))).toMatchObject({
      reason: 'refresh_token_key_not_shown',
    })
    expect((await refresh(refresh_token, shown())).status).toBe(200)
  })

  it('[incident 55] a refused proof is no poll; one that waits is not used up', async () => {
    const begun = await begunDevice()
    const bad = withProof(proofFor(server, key, {}, { claims: { htm: 'GET' } }))
    for (let times = 0; times < 3; times++)
      expect(await declined(server, poll(begun.json.device_code, bad))).toMatchObject({ reason: 'dpop_method_differs' })
    const waiting = shown()
    expect(await declined(server, poll(begun.json.device_code, waiting))).toMatchObject({ reason: 'device_pending' })
    expect(await declined(server, poll(begun.json.device_code, waiting))).toMatchObject({
      reason: 'device_polled_early',
    })
    await approve(begun)
    expect((await poll(begun.json.device_code, waiting)).status).toBe(200)
  })

  it('[T100] begins once of 64 times at once with one proof', async () => {
    const used = shownToDevices()
    const answers = await Promise.all(Array.from({ length: 64 }, () => begunDevice('native', used)))
    expect(statuses(answers)).toEqual({ 200: 1, 400: 63 })
    expect(await declined(server, begunDevice('native', used))).toMatchObject({ reason: 'dpop_replayed' })
  })

  it('is refused with a proof for the token endpoint', async () => {
    expect(await declined(server, begunDevice('native', shown()))).toMatchObject({
      status: 400,
      error: 'invalid_dpop_proof',
      reason: 'dpop_url_differs',
    })
  })

  it('a request that is refused otherwise leaves the proof alone', async () => {
    const proof = shownToDevices()
    const asked = server.post('/device_authorization', { client_id: 'native', scope: 'unknown' }, proof)
    expect(await declined(server, asked)).toMatchObject({ reason: 'scope_unknown' })
    expect((await begunDevice('native', proof)).status).toBe(200)
  })
})

describe('RFC 9449 token exchange', () => {
  const own = async (client: string, sent: Partial<Sent> = {}) =>
    (await redeem(server, { grant_type: 'client_credentials', scope: 'api1' }, { client, ...sent })).json.access_token

  it('[RFC9449-5-3] gives who shows the key of a token another one that is bound to it', async () => {
    const answer = await exchange(await own('web', shown()), shown())
    expect(answer.json).toMatchObject({ token_type: 'DPoP', issued_token_type: accessTokenType })
    expect(jktOf(answer)).toBe(key.thumbprint)
  })

  it('refuses another key, none, and a certificate', async () => {
    const subject = await own('web', shown())
    await server.restart({ mutualTls: { alwaysEmitConfirmationClaim: true } })
    for (const sent of [shown(other), {}, { certificate }])
      expect(await declined(server, exchange(subject, sent))).toMatchObject({
        status: 400,
        error: 'invalid_request',
        reason: 'subject_token_key_not_shown',
      })
    await server.restart()
  })

  it('gives an API in the audience a token that is bound to its own key, and none that is weaker', async () => {
    const subject = await own('web', shown())
    expect(jktOf(await exchange(subject, { client: 'api', ...shown(other) }))).toBe(other.thumbprint)
    expect(await declined(server, exchange(subject, { client: 'api' }))).toMatchObject({
      reason: 'subject_token_key_not_shown',
    })
  })

  it('may bind what was not', async () => {
    expect(jktOf(await exchange(await own('web'), shown()))).toBe(key.thumbprint)
  })

  it('leaves the proof of a refused exchange alone', async () => {
    const proof = shown()
    expect(await declined(server, exchange('nonsense', proof))).toMatchObject({ reason: 'subject_token_inactive' })
    expect((await exchange(await own('web', shown()), proof)).status).toBe(200)
  })
})

const { verifier, challenge } = createVerifier()
const asked = {
  redirect_uri: redirect,
  response_type: 'code',
  scope: 'openid api1',
  code_challenge: challenge,
  code_challenge_method: 'S256',
}
type Parameters = Readonly<Record<string, string | undefined>>
const push = (client: string, form: Parameters = {}, sent: Partial<Sent> = {}) =>
  server.post('/par', { client_id: client, ...(client.startsWith('native') ? {} : secret), ...asked, ...form }, sent)
const shownToPar = (by = key) => withProof(proofFor(server, by, { path: '/par' }))

/** Signs in, where nobody has to be asked. */
async function codeOf(parameters: Parameters): Promise<string> {
  const browser = openBrowser(server)
  const page: Page = await browser.authorize(parameters)
  return (await browser.submit(page, { username: 'alice', password: 'alice' })).answer.code ?? ''
}
const redeemed = (code: string, { client = 'native', ...sent }: Asked = {}) =>
  redeem(
    server,
    { grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: verifier },
    { client, ...sent },
  )

/** The code is worth nothing to another key, to none and to a certificate, and is not used up by them. */
async function expectBound(code: string, client: string): Promise<void> {
  for (const sent of [shown(other), {}])
    expect(await declined(server, redeemed(code, { client, ...sent }))).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      reason: 'code_key_not_shown',
    })
  expect(jktOf(await redeemed(code, { client, ...shown() }))).toBe(key.thumbprint)
}

describe('RFC 9449 §10 a code that is bound', () => {
  it.each(['native', 'web'])('[RFC9449-10-1, RFC9449-10-2] [T105] by dpop_jkt in the query, for %s', async (client) => {
    await expectBound(await codeOf({ client_id: client, ...asked, dpop_jkt: key.thumbprint }), client)
  })

  it.each(['native', 'web'])('[RFC9449-10.1-1] by dpop_jkt in the form at PAR, for %s', async (client) => {
    const { request_uri } = (await push(client, { dpop_jkt: key.thumbprint })).json
    await expectBound(await codeOf({ client_id: client, request_uri }), client)
  })

  it.each(['native', 'web'])('[RFC9449-10.1-2, RFC9449-10.1-3] by a proof at PAR, for %s', async (client) => {
    const { request_uri } = (await push(client, {}, shownToPar())).json
    await expectBound(await codeOf({ client_id: client, request_uri }), client)
  })

  it('[RFC9449-10.1-4] by both, which agree', async () => {
    const { request_uri } = (await push('native', { dpop_jkt: key.thumbprint }, shownToPar())).json
    await expectBound(await codeOf({ client_id: 'native', request_uri }), 'native')
    expect(await declined(server, push('native', { dpop_jkt: other.thumbprint }, shownToPar()))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'dpop_jkt_disagrees',
    })
  })

  it('also where the access token is spared: the proof counts, and binds no token', async () => {
    const client = 'native-spared'
    const { request_uri } = (await push(client, {}, shownToPar())).json
    const code = await codeOf({ client_id: client, request_uri })
    const foreign = redeemed(code, { client, ...shown(other) })
    expect(await declined(server, foreign)).toMatchObject({ reason: 'code_key_not_shown' })
    expect((await redeemed(code, { client, ...shown() })).json.token_type).toBe('Bearer')
  })

  it('with a wrong verifier, wastes no proof', async () => {
    const code = allow(server, { client: 'native', scope: everything.scope, redirectUri: redirect })
    const proof = shown()
    const wrong = redeem(server, { ...code.form, code_verifier: 'A'.repeat(43) }, { client: 'native', ...proof })
    expect(await declined(server, wrong)).toMatchObject({ error: 'invalid_grant', reason: 'code_verifier_wrong' })
    expect((await redeem(server, code.form, { client: 'native', ...proof })).status).toBe(200)
  })

  it.each([
    ['padded', (jkt: string) => `${jkt}=`],
    ['too short', (jkt: string) => jkt.slice(1)],
    ['hexadecimal', (jkt: string) => Buffer.from(jkt, 'base64url').toString('hex')],
  ])('but not by a thumbprint that is %s', async (_, change) => {
    const asked = push('native', { dpop_jkt: change(key.thumbprint) })
    expect(await declined(server, asked)).toMatchObject({ error: 'invalid_request', reason: 'dpop_jkt_malformed' })
  })
})

describe('RFC 9449 §10.1 a proof at PAR', () => {
  it.each([
    ['for the token endpoint', () => shown(), 'dpop_url_differs'],
    ['that is stale', () => withProof(proofFor(server, key, { path: '/par' }, { claims: { iat: 0 } })), 'dpop_stale'],
    ['that is no JWT', () => withProof('x'), 'dpop_malformed'],
    ['that is empty', () => withProof(''), 'dpop_malformed'],
    ['that is one of two', () => withProof([proofFor(server, key, { path: '/par' }), 'x']), 'dpop_repeated'],
  ])('[RFC9449-10.1-2] %s is refused', async (_, sent, reason) => {
    expect(await declined(server, push('native', {}, sent()))).toMatchObject({
      status: 400,
      error: 'invalid_dpop_proof',
      reason,
    })
  })

  it('[T100] counts in exactly one of 64 requests at once', async () => {
    const used = shownToPar()
    const answers = await Promise.all(Array.from({ length: 64 }, () => push('native', {}, used)))
    expect(statuses(answers)).toEqual({ 201: 1, 400: 63 })
    expect(await declined(server, push('native', {}, used))).toMatchObject({ reason: 'dpop_replayed' })
  })

  it('is not used up by a request that is refused', async () => {
    const proof = shownToPar()
    expect(await declined(server, push('native', { scope: 'unknown' }, proof))).toMatchObject({
      reason: 'scope_unknown',
    })
    const jkt = { dpop_jkt: other.thumbprint }
    expect(await declined(server, push('native', jkt, proof))).toMatchObject({ reason: 'dpop_jkt_disagrees' })
    expect((await push('native', {}, proof)).status).toBe(201)
  })

  it('is not demanded, even of who must show one for a token', async () => {
    expect((await push('native-dpop')).status).toBe(201)
    expect((await push('native-spared')).status).toBe(201)
  })

  it('a refused proof at the token endpoint leaves request_uri and code to their client', async () => {
    const { request_uri } = (await push('native', {}, shownToPar())).json
    const code = await codeOf({ client_id: 'native', request_uri })
    const bad = withProof(proofFor(server, key, {}, { signature: '' }))
    expect(await declined(server, redeemed(code, bad))).toMatchObject({ reason: 'dpop_signature' })
    expect((await redeemed(code, shown())).status).toBe(200)
  })
})
