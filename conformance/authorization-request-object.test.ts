import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, refusalOn } from './browser.ts'
import { type Harness, signatureOf } from './harness.ts'
import { declinedPush, lastReason, redirect, signIn, startVisits, validRequest, visitClients } from './visit.ts'

const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed25519 = generateKeyPairSync('ed25519')
const keyPairs: Readonly<Record<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: ed25519,
  Ed25519: ed25519,
  'ML-DSA-44': generateKeyPairSync('ml-dsa-44'),
  'ML-DSA-65': generateKeyPairSync('ml-dsa-65'),
  'ML-DSA-87': generateKeyPairSync('ml-dsa-87'),
}
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const jwk = (key: KeyObject) => ({ kty: '', ...key.export({ format: 'jwk' }) })

const signing = {
  client_secret: 'secret',
  grant_types: ['authorization_code'],
  redirect_uris: [redirect],
  scope: 'openid api1',
  consent: 'skip',
  jwks: { keys: [jwk(ours.publicKey), jwk(ed25519.publicKey)] },
  request_object_signing_alg: 'ES256',
  authorization_details_types: ['payment', 'account'],
} as const

let server: Harness

beforeAll(async () => {
  server = await startVisits((settings) => ({
    ...settings,
    authorizationDetails: {
      payment: {
        schema: {
          type: 'object',
          properties: { type: { const: 'payment' }, amount: { type: 'number', minimum: 0 } },
          required: ['type', 'amount'],
          additionalProperties: false,
        },
      },
      account: {},
      unused: {},
    },
    clients: [
      ...visitClients,
      { ...signing, client_id: 'signing' },
      { ...signing, client_id: 'asking', consent: 'ask' },
      { ...signing, client_id: 'must-sign', require_signed_request_object: true },
      ...Object.entries(keyPairs).map(([alg, { publicKey }]) => ({
        ...signing,
        client_id: `by-${alg}`,
        jwks: { keys: [jwk(publicKey)] },
        request_object_signing_alg: alg,
      })),
    ],
  }))
})
afterAll(() => server.close())

interface Twist {
  readonly header?: object
  readonly claims?: object
  readonly key?: string
  readonly text?: string
}

/** A request object that nothing is wrong with, but for the twist. RFC 9101 §4. */
function requestObject({ header = {}, claims = {}, key = pem(ours.privateKey) }: Twist = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const head = { alg: 'ES256', typ: 'oauth-authz-req+jwt', ...header }
  const body = { ...validRequest, client_id: 'signing', iss: 'signing', aud: server.issuer, nbf: now, exp: now + 300 }
  const input = `${encode(head)}.${encode({ ...body, ...claims })}`
  return `${input}.${head.alg === 'none' ? '' : signatureOf(input, key, head.alg)}`
}

/** A JWE has five parts. RFC 7516 §3.1. */
const encrypted = [JSON.stringify({ alg: 'RSA-OAEP', enc: 'A256GCM' }), 'key', 'iv', 'text', 'tag']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.')

const visit = (form: Readonly<Record<string, string>>) =>
  openBrowser(server).authorize({ client_id: 'signing', ...form })
const now = () => Math.floor(Date.now() / 1000)

describe('RFC 9101 signed request objects', () => {
  it('[RFC9101-4-1, RFC9101-5.1-1] [RFC9101-5] says by itself what is asked for', async () => {
    const browser = openBrowser(server)
    const page = await browser.authorize({ client_id: 'signing', request: requestObject() })
    const answered = await browser.submit(page, { username: 'alice', password: 'alice' })
    expect(answered.answer).toEqual({ code: expect.any(String), state: 'state', iss: server.issuer })
  })

  it.each<[string, Twist]>([
    ['without typ', { header: { typ: undefined } }],
    ['with the issuer among the audiences', { claims: { aud: ['https://other.test', 'ISSUER'] } }],
    ['without nbf', { claims: { nbf: undefined } }],
    ['[RFC9101-4-5] with max_age as a number', { claims: { max_age: 100 } }],
    ['with resource as a list', { claims: { resource: ['https://api.test'] } }],
    ['with authorization_details as a list', { claims: { authorization_details: [{ type: 'account' }] } }],
  ])('takes one %s', async (_, twist) => {
    const claims = JSON.parse(JSON.stringify(twist.claims ?? {}).replace('ISSUER', server.issuer))
    const page = await visit({ request: requestObject({ ...twist, claims: { ...twist.claims, ...claims } }) })
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-in' } })
  })

  it.each(Object.entries(keyPairs))('[D03] takes one signed with %s', async (alg, { privateKey }) => {
    const client_id = `by-${alg}`
    const request = requestObject({ header: { alg }, claims: { client_id, iss: client_id }, key: pem(privateKey) })
    expect((await openBrowser(server).authorize({ client_id, request })).status).toBe(200)
  })

  it('[RFC9101-4-6] [D03] says by which algorithms', async () => {
    const path = '/.well-known/openid-configuration'
    const { json } = await server.send({ on: 'public', method: 'GET', path, headers: {} })
    expect(json.request_object_signing_alg_values_supported).toEqual(Object.keys(keyPairs))
    expect(json.authorization_details_types_supported).toEqual(['payment', 'account', 'unused'])
  })

  it('[RFC9101-6.3-1, RFC9126-3-2] ignores what stands beside it', async () => {
    const page = await visit({
      request: requestObject({ claims: { prompt: 'none' } }),
      state: 'other',
      redirect_uri: 'https://evil.test',
      scope: 'unknown',
    })
    expect(page.answer).toEqual({
      error: 'login_required',
      error_description: expect.any(String),
      state: 'state',
      iss: server.issuer,
    })
  })

  it.each<[string, Twist, string]>([
    ['no JWT', { text: 'no.jwt' }, 'request_object_malformed'],
    ['[RFC9101-6.1-2] one that is encrypted', { text: encrypted }, 'request_object_malformed'],
    ['[RFC9101-10.8] a typ of something else', { header: { typ: 'JWT' } }, 'request_object_type'],
    [
      '[RFC9101-10.8-1] what could be a client assertion',
      { header: { typ: undefined }, claims: { sub: 'signing' } },
      'request_object_type',
    ],
    ['[RFC9101-10.1-1, RFC9101-10.5-3] no signature', { header: { alg: 'none' } }, 'request_object_algorithm'],
    [
      '[RFC9101-6.2-1] another algorithm than the registered one',
      { header: { alg: 'Ed25519' }, key: pem(ed25519.privateKey) },
      'request_object_algorithm',
    ],
    ['[RFC9101-6.2-3] an unknown kid', { header: { kid: 'other' } }, 'request_object_key'],
    [
      '[RFC9101-6.2-2, RFC9101-7-1, RFC9101-10.2-1, RFC9101-10.2-2] the signature of somebody else',
      { key: pem(theirs.privateKey) },
      'request_object_signature',
    ],
    ['another iss', { claims: { iss: 'other' } }, 'request_object_issuer'],
    ['no iss', { claims: { iss: undefined } }, 'request_object_issuer'],
    ['[RFC9101-4-4] another aud', { claims: { aud: 'https://other.test' } }, 'request_object_audience'],
    ['no aud', { claims: { aud: undefined } }, 'request_object_audience'],
    ['no exp', { claims: { exp: undefined } }, 'request_object_time'],
    ['an exp that has passed', { claims: { exp: now() - 1 } }, 'request_object_time'],
    ['an exp beyond the hour', { claims: { exp: now() + 3700 } }, 'request_object_time'],
    ['an nbf in the future', { claims: { nbf: now() + 60 } }, 'request_object_time'],
    ['an nbf before the last hour', { claims: { nbf: now() - 3700 } }, 'request_object_time'],
    ['[RFC9126-3-3, RFC9101-5-2] another client_id', { claims: { client_id: 'web' } }, 'request_object_client'],
    ['a request in the request', { claims: { request: 'x' } }, 'request_object_nested'],
    ['[RFC9101-4-2] a request_uri in the request', { claims: { request_uri: 'x' } }, 'request_object_nested'],
    ['[RFC9101-4-5] a parameter of the wrong type', { claims: { state: true } }, 'request_object_parameter'],
  ])('refuses %s, on a page and at PAR', async (_, twist, reason) => {
    const request = twist.text ?? requestObject(twist)
    expect(refusalOn(await visit({ request }))).toEqual({ status: 400, error: 'invalid_request_object' })
    expect(lastReason(server)).toBe(reason)
    const form = { client_id: 'signing', client_secret: 'secret', request }
    expect(await declinedPush(server, form)).toMatchObject({ status: 400, error: 'invalid_request_object', reason })
  })

  it('[RFC9101-6.3-2] refuses what stands inside as it would refuse it outside', async () => {
    const page = await visit({
      request: requestObject({ claims: { redirect_uri: 'https://evil.test' } }),
      redirect_uri: redirect,
    })
    expect([refusalOn(page).status, lastReason(server)]).toEqual([400, 'redirect_uri_unregistered'])
    const declined = await visit({ request: requestObject({ claims: { scope: 'unknown' } }), scope: 'api1' })
    expect(declined.answer).toMatchObject({ error: 'invalid_scope', state: 'state' })
  })

  it('[RFC9101-5-1] refuses request and request_uri together', async () => {
    const page = await visit({ request: requestObject(), request_uri: 'https://app.test/request.jwt' })
    expect([refusalOn(page).status, lastReason(server)]).toEqual([400, 'request_doubled'])
  })

  it('[RFC9126-3-1] can be pushed', async () => {
    const form = { client_id: 'signing', client_secret: 'secret', request: requestObject() }
    const { status, json } = await server.post('/par', form)
    expect(status).toBe(201)
    expect((await visit({ request_uri: json.request_uri })).form.action).toBe('/sign-in')
  })

  it('[RFC9101-10.5-1, RFC9126-2.3-3] are needed where the client is registered so', async () => {
    const plain = { ...validRequest, client_id: 'must-sign' }
    const page = await openBrowser(server).authorize(plain)
    expect([page.answer.error, lastReason(server)]).toEqual(['invalid_request', 'request_object_required'])
    expect(await declinedPush(server, { ...plain, client_secret: 'secret' })).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'request_object_required',
    })
    const request = requestObject({ claims: { client_id: 'must-sign', iss: 'must-sign' } })
    expect((await openBrowser(server).authorize({ client_id: 'must-sign', request })).status).toBe(200)
  })

  it('[RFC9449-10.1] dpop_jkt inside is the one that counts, and none outside may differ', async () => {
    const [jkt, other] = ['A'.repeat(43), `${'B'.repeat(42)}A`]
    const request = requestObject({ claims: { dpop_jkt: jkt } })
    expect((await visit({ request, dpop_jkt: jkt })).status).toBe(200)
    expect((await visit({ request, dpop_jkt: other })).status).toBe(400)
    expect(lastReason(server)).toBe('dpop_jkt_differs')
    expect((await visit({ request: requestObject(), dpop_jkt: jkt })).status).toBe(400)
  })
})

describe('RFC 9396 authorization_details', () => {
  const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, each) => [`m${each}`, each]))

  it('are taken as long as the page shows them whole', async () => {
    const longest = { note: 'x'.repeat(200), ['x'.repeat(80)]: 1, a: [[[1]]], ...members(21) }
    const form = {
      ...validRequest,
      client_id: 'asking',
      authorization_details: JSON.stringify([{ type: 'account', ...longest }]),
    }
    const page = await signIn(openBrowser(server), form)
    expect(page.form.action).toBe('/consent')
    expect(page.text).toContain('x'.repeat(200))
    expect(page.text).not.toContain('…')
  })

  const payment = { type: 'payment', amount: 12 }
  const ask = (details: unknown) =>
    openBrowser(server).authorize({
      ...validRequest,
      client_id: 'signing',
      authorization_details: typeof details === 'string' ? details : JSON.stringify(details),
    })

  it('are shown at consent, each time', async () => {
    const browser = openBrowser(server)
    const form = { ...validRequest, client_id: 'asking', authorization_details: JSON.stringify([payment]) }
    const page = await browser.submit(await browser.authorize(form), { username: 'alice', password: 'alice' })
    expect(page.text).toContain('payment')
    expect((await browser.submit(page, { decision: 'allow' })).answer.code).toBeDefined()
    expect((await browser.authorize({ ...validRequest, client_id: 'asking' })).answer.code).toBeDefined()
    expect((await browser.authorize(form)).form.action).toBe('/consent')
  })

  it.each([
    ['no JSON', '[', 'authorization_details_malformed'],
    ['an object', payment, 'authorization_details_malformed'],
    ['nothing', [], 'authorization_details_malformed'],
    ['too many', Array(21).fill(payment), 'authorization_details_malformed'],
    ['what is nested too deeply', `${'['.repeat(17)}${']'.repeat(17)}`, 'authorization_details_malformed'],
    ['texts', ['payment'], 'authorization_details_malformed'],
    ['an unknown type', [{ type: 'unknown' }], 'authorization_details_type'],
    ['a type that the client may not use', [{ type: 'unused' }], 'authorization_details_type'],
    ['no type', [{ amount: 12 }], 'authorization_details_type'],
    ['a member that the type lacks', [{ ...payment, more: 1 }], 'authorization_details_invalid'],
    ['a value out of bounds', [{ ...payment, amount: -1 }], 'authorization_details_invalid'],
    ['a text that no page shows whole', [{ type: 'account', note: 'x'.repeat(201) }], 'authorization_details_invalid'],
    ['a name that no page shows whole', [{ type: 'account', ['x'.repeat(81)]: 1 }], 'authorization_details_invalid'],
    ['more members than a page shows', [{ type: 'account', ...members(25) }], 'authorization_details_invalid'],
    ['more depth than a page shows', [{ type: 'account', a: [[[[1]]]] }], 'authorization_details_invalid'],
    ['actions that are no list', [{ type: 'account', actions: 'read' }], 'authorization_details_invalid'],
  ])('[RFC9396-5] refuses %s', async (_, details, reason) => {
    const page = await ask(details)
    expect([page.answer.error, lastReason(server)]).toEqual(['invalid_authorization_details', reason])
  })
})
