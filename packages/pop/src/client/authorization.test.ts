import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64url } from '../foundation/base64url.ts'
import { createSession } from './authorization/session.ts'
import { type Client, type ClientOptions, createClient } from './client.ts'
import { ClientError } from './client-error.ts'

const issuer = 'https://as.example'
const redirect_uri = 'http://127.0.0.1:1234/callback'
const own = { thumbprint: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0' }
const began = 1_700_000_000

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  revocation_endpoint: `${issuer}/revoke`,
  jwks_uri: `${issuer}/jwks`,
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
}
const pushing = { ...metadata, pushed_authorization_request_endpoint: `${issuer}/par` }

let keys: GenerateKeyPairResult
let strangers: GenerateKeyPairResult
beforeAll(async () => {
  ;[keys, strangers] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
})

describe('RFC 6749 §4.1.1 beginning a sign-in', () => {
  it('[RFC7636-4.2-1, RFC7636-4.3-1, RFC6749-4.1.1-2] sends the browser with PKCE S256 and a state', async () => {
    const { client } = world()
    const { url, state, code_verifier } = await client.authorize({
      redirect_uri,
      scope: 'api1',
      resource: ['x:1', 'x:2'],
    })
    const { origin, pathname, searchParams } = new URL(url)
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code_verifier))
    expect(origin + pathname).toBe(metadata.authorization_endpoint)
    expect(searchParams.getAll('resource')).toEqual(['x:1', 'x:2'])
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: 'native',
      response_type: 'code',
      redirect_uri,
      scope: 'api1',
      state,
      code_challenge: encodeBase64url(new Uint8Array(digest)),
      code_challenge_method: 'S256',
      resource: 'x:2',
    })
  })

  it('[RFC7636-4.1-1, RFC6749-10.12-3] makes verifier, state and nonce anew each time, of 256 bit', async () => {
    const { client } = world()
    const all = await Promise.all([1, 2].map(() => client.authorize({ redirect_uri, scope: 'openid' })))
    const secrets = all.flatMap(({ state, code_verifier, nonce }) => [state, code_verifier, nonce])
    expect(new Set(secrets).size).toBe(6)
    for (const secret of secrets) expect(secret).toMatch(/^[\w-]{43}$/)
  })

  it('[RFC9126-4-1] pushes the request where the server takes that, and names only what it was given', async () => {
    const { client, forms } = world({ metadata: pushing, '/par': { status: 201, json: { request_uri: 'urn:x' } } })
    const { url, state, nonce } = await client.authorize({ redirect_uri, scope: 'openid' })
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({ client_id: 'native', request_uri: 'urn:x' })
    expect(forms('/par')).toMatchObject([{ client_id: 'native', state, nonce, redirect_uri }])
  })

  it('[RFC9126-2.1] names itself in what it pushes where a header authenticates it too', async () => {
    const answers = { metadata: pushing, '/par': { status: 201, json: { request_uri: 'urn:x' } } }
    const { client, forms } = world(answers, { client_secret: 'secret' })
    await client.authorize({ redirect_uri })
    expect(forms('/par')).toMatchObject([{ client_id: 'native', redirect_uri }])
    expect(forms('/par')[0]?.client_secret).toBeUndefined()
  })

  it('[RFC9126-4-5] pushes anew for each sign-in', async () => {
    let count = 0
    const answer = () => ({ status: 201, json: { request_uri: `urn:x:${++count}` } })
    const { client } = world({ metadata: pushing, '/par': answer })
    const urls = [await client.authorize({ redirect_uri }), await client.authorize({ redirect_uri })]
    expect(urls.map(({ url }) => new URL(url).searchParams.get('request_uri'))).toEqual(['urn:x:1', 'urn:x:2'])
  })

  it('[RFC6749-3.1-7] keeps the query of the page', async () => {
    const tenant = { ...metadata, authorization_endpoint: `${issuer}/authorize?tenant=1` }
    const { url } = await world({ metadata: tenant }).client.authorize({ redirect_uri })
    expect(url.startsWith(`${issuer}/authorize?tenant=1&`)).toBe(true)
    expect(new URL(url).searchParams.get('client_id')).toBe('native')
  })

  it('[RFC8705-5-3] pushes over the alias, so that the code is bound to the certificate', async () => {
    const alias = `${issuer}/mtls/par`
    const aliased = { ...pushing, mtls_endpoint_aliases: { pushed_authorization_request_endpoint: alias } }
    const answers = { metadata: aliased, '/mtls/par': { status: 201, json: { request_uri: 'urn:x' } } }
    const { client, forms } = world(answers, { certificate: own })
    await client.authorize({ redirect_uri })
    expect(forms('/mtls/par')).toHaveLength(1)
  })

  it.each([
    ['has no page for it', { ...metadata, authorization_endpoint: undefined }, 'endpoint_missing'],
    [
      '[RFC7636-7.2-2] does not take S256',
      { ...metadata, code_challenge_methods_supported: ['plain'] },
      'pkce_unsupported',
    ],
    [
      '[RFC6749-10.8-1] names a page without TLS',
      { ...metadata, authorization_endpoint: 'http://as.example' },
      'endpoint_not_https',
    ],
    [
      'names a page with a fragment',
      { ...metadata, authorization_endpoint: `${issuer}/authorize#x` },
      'endpoint_not_https',
    ],
    ['answers the pushed request with nothing', pushing, 'response_malformed'],
  ])('does not begin with a server that %s', async (_, wrong, reason) => {
    const { client } = world({ metadata: wrong, '/par': { status: 201, json: {} } })
    await expectReason(client.authorize({ redirect_uri }), reason)
  })
})

describe('RFC 6749 §4.1.2 the answer', () => {
  it('[RFC7636-4.5-1, RFC6749-3.2.1-2, RFC6749-4.1.3-5] is exchanged for tokens, with the verifier and the same redirect URI', async () => {
    const { client, forms, pending, good } = await begun({})
    const session = await client.redeem(new URLSearchParams(good), pending)
    expect(forms('/token')).toEqual([
      {
        client_id: 'native',
        grant_type: 'authorization_code',
        code: 'code',
        redirect_uri,
        code_verifier: pending.code_verifier,
      },
    ])
    expect((await client.token({ session })).access_token).toBe('first')
    expect(session.refresh_token).toBe('refresh-1')
    expect(JSON.stringify(session)).not.toContain('refresh-1')
  })

  it.each([
    ['[C11] without a state', { state: undefined }, 'state_missing'],
    ['[C11] with an empty state', { state: '' }, 'state_missing'],
    ['[RFC6749-10.12-1] [C11] with the state of another sign-in', { state: 'x'.repeat(43) }, 'state_mismatch'],
    ['[RFC9207-2.4-3] [C12] without iss, which the server always sends', { iss: undefined }, 'issuer_missing'],
    ['[RFC9207-2.4-1] [C12] from another server', { iss: 'https://evil.example' }, 'issuer_unexpected'],
    ['[RFC9207-2.4-2] [C12] from a server whose name is spelt otherwise', { iss: `${issuer}/` }, 'issuer_unexpected'],
    ['[RFC9207-4-2] [C12] with two iss', { iss: [issuer, issuer] }, 'parameter_repeated'],
    ['[C13] with code and error', { error: 'access_denied' }, 'answer_ambiguous'],
    ['[C13] with two codes', { code: ['code', 'code'] }, 'parameter_repeated'],
    ['[C13] with a parameter that nobody knows, twice', { x: ['1', '2'] }, 'parameter_repeated'],
    ['without a code', { code: undefined }, 'code_missing'],
    ['that refuses', { code: undefined, error: 'access_denied' }, 'authorization_refused'],
  ])('is refused and no token asked for: %s', async (_, wrong, reason) => {
    const { client, forms, pending, good } = await begun({})
    const parameters = Object.entries({ ...good, ...wrong })
    const received = new URLSearchParams(
      parameters.flatMap(([name, value]) => [value ?? []].flat().map((each) => [name, each])),
    )
    await expectReason(client.redeem(received, pending), reason)
    expect(forms('/token')).toEqual([])
  })

  it('[RFC6749-4.1.2-7] [C11] is taken once', async () => {
    const { client, forms, pending, good } = await begun({})
    await client.redeem(new URLSearchParams(good), pending)
    await expectReason(client.redeem(new URLSearchParams(good), pending), 'authorization_used')
    expect(forms('/token')).toHaveLength(1)
  })

  it('is taken for half an hour, and not a second longer', async () => {
    const inTime = await begun({})
    inTime.clock.now += 1800
    await inTime.client.redeem(new URLSearchParams(inTime.good), inTime.pending)
    const late = await begun({})
    late.clock.now += 1801
    await expectReason(late.client.redeem(new URLSearchParams(late.good), late.pending), 'authorization_expired')
  })

  it('[RFC9207-2.4-6] needs no iss from a server that does not promise it', async () => {
    const silent = { ...metadata, authorization_response_iss_parameter_supported: false }
    const { client, pending, good } = await begun({ metadata: silent })
    await client.redeem(new URLSearchParams({ code: 'code', state: good.state }), pending)
  })

  it('[RFC6749-4.1.2-7] [C23] is exchanged once, whatever becomes of it', async () => {
    const busy = { status: 503, json: {}, headers: { 'retry-after': '0' } }
    const lost = () => {
      throw new ClientError('connection_lost')
    }
    for (const answer of [busy, lost]) {
      const { client, forms, pending, good } = await begun({ '/token': answer })
      await expect(client.redeem(new URLSearchParams(good), pending)).rejects.toBeInstanceOf(ClientError)
      expect(forms('/token')).toHaveLength(1)
    }
  })

  it('[C14] is refused when the token is not bound to the certificate', async () => {
    const { client, pending, good } = await begun({}, {}, { certificate: own })
    await expectReason(client.redeem(new URLSearchParams(good), pending), 'token_unbound')
  })
})

describe('OpenID Connect Core §3.1.3.7 the ID token', () => {
  it('says who signed in', async () => {
    const { client, pending, good } = await begun({}, { scope: 'openid' })
    expect((await client.redeem(new URLSearchParams(good), pending)).claims).toMatchObject({ sub: 'user:alice' })
  })

  it.each([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['for another client', { aud: 'other' }],
    ['for several clients, without saying which', { aud: ['native', 'other'] }],
    ['that another client may use', { azp: 'other' }],
    ['with the nonce of another sign-in', { nonce: 'x' }],
    ['without a nonce', { nonce: undefined }],
    ['of nobody', { sub: undefined }],
    ['of the past', { exp: began - 61 }],
    ['without an end', { exp: undefined }],
    ['of the future', { nbf: began + 61 }],
  ])('is refused: %s', async (_, claims) => {
    const { client, pending, good } = await begun({ claims }, { scope: 'openid' })
    await expectReason(client.redeem(new URLSearchParams(good), pending), 'id_token_invalid')
  })

  it('is refused when another key signed it, when it is not signed, and when it is missing', async () => {
    const unsigned = `${encodeBase64url(new TextEncoder().encode('{"alg":"none"}'))}.e30.`
    for (const wrong of [{ signer: strangers }, { id_token: unsigned }, { id_token: undefined }]) {
      const { client, pending, good } = await begun(wrong, { scope: 'openid' })
      await expectReason(client.redeem(new URLSearchParams(good), pending), 'id_token_invalid')
    }
  })
})

describe('RFC 6749 §6 refreshing', () => {
  const session = () => createSession({ refresh_token: 'refresh-1' })

  it('[C22] asks once, however many calls wait', async () => {
    const { client, forms } = world({ '/token': { json: granted('second') } })
    const one = session()
    const tokens = await Promise.all(Array.from({ length: 1000 }, () => client.token({ session: one })))
    expect(new Set(tokens.map(({ access_token }) => access_token))).toEqual(new Set(['second']))
    expect(forms('/token')).toEqual([{ client_id: 'native', grant_type: 'refresh_token', refresh_token: 'refresh-1' }])
  })

  it('[RFC6749-6-6] uses each refresh token once where the server gives another, and tells of each', async () => {
    const kept: string[] = []
    let count = 1
    const { client, forms } = world({
      '/token': () => ({ json: { ...granted('next'), refresh_token: `refresh-${++count}` } }),
    })
    const one = createSession({ refresh_token: 'refresh-1', keep: (next) => void kept.push(next) })
    await Promise.all(['api1', 'api2', 'api3'].map((scope) => client.token({ session: one, scope })))
    expect(forms('/token').map(({ refresh_token }) => refresh_token)).toEqual(['refresh-1', 'refresh-2', 'refresh-3'])
    expect(kept).toEqual(['refresh-2', 'refresh-3', 'refresh-4'])
  })

  it('gives no token out whose refresh token could not be kept', async () => {
    const { client } = world({ '/token': { json: { ...granted('next'), refresh_token: 'refresh-2' } } })
    const full = new Error('the disk is full')
    const one = createSession({ refresh_token: 'refresh-1', keep: () => Promise.reject(full) })
    await expect(client.token({ session: one })).rejects.toBe(full)
    expect(one.refresh_token).toBe('refresh-2')
  })

  it('keeps the tokens of two people apart', async () => {
    const { client } = world({ '/token': ({ refresh_token }: Form) => ({ json: granted(`of-${refresh_token}`) }) })
    const [alice, bob] = ['alice', 'bob'].map((refresh_token) => createSession({ refresh_token }))
    expect((await client.token({ session: alice })).access_token).toBe('of-alice')
    expect((await client.token({ session: bob })).access_token).toBe('of-bob')
    expect((await client.token({ session: alice })).access_token).toBe('of-alice')
  })

  it('says that somebody must sign in when the server takes the refresh token no more, or there is none', async () => {
    const { client } = world({ '/token': { status: 400, json: { error: 'invalid_grant' } } })
    await expectReason(client.token({ session: session() }), 'sign_in_required')
    await expectReason(client.token({ session: createSession({}) }), 'sign_in_required')
  })

  it('repeats a lost request only where the refresh token is bound to the certificate', async () => {
    for (const [options, requests] of [
      [{}, 1],
      [{ certificate: own }, 2],
    ] as const) {
      const lost = () => {
        throw new ClientError('connection_lost')
      }
      const { client, forms } = world({ '/token': lost }, options)
      await expectReason(client.token({ session: session() }), 'connection_lost')
      expect(forms('/token')).toHaveLength(requests)
    }
  })

  it('asks anew when it is told to', async () => {
    let count = 0
    const { client } = world({ '/token': () => ({ json: granted(`token-${++count}`) }) })
    const one = session()
    await client.token({ session: one })
    expect((await client.renew({ session: one })).access_token).toBe('token-2')
    expect((await client.token({ session: one })).access_token).toBe('token-2')
  })

  it('brings the tokens of the session to the API, and another after a 401', async () => {
    let count = 0
    const brought: (string | null)[] = []
    const { client } = world({
      '/token': () => ({ json: granted(`token-${++count}`) }),
      '/api': (_: Form, headers: Headers) => {
        brought.push(headers.get('authorization'))
        const refused = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
        return brought.length === 1 ? { json: {}, ...refused } : { json: {} }
      },
    })
    expect((await client.fetch(`${issuer}/api`, {}, { session: session() })).status).toBe(200)
    expect(brought).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  it('asks UserInfo about the one who signed in, and believes nothing about anybody else', async () => {
    for (const [sub, reason] of [
      ['user:alice', undefined],
      ['user:bob', 'person_unexpected'],
    ] as const) {
      const about = { ...metadata, userinfo_endpoint: `${issuer}/userinfo` }
      const { client } = world({
        metadata: about,
        '/userinfo': { json: { sub, name: 'A' } },
        '/token': { json: granted('t') },
      })
      const one = createSession({ refresh_token: 'refresh-1', claims: { iss: issuer, sub: 'user:alice' } })
      const asked = client.userinfo(one)
      if (reason === undefined) expect(await asked).toEqual({ sub, name: 'A' })
      else await expectReason(asked, reason)
    }
  })

  it('says where a browser signs out at the server, where there is such a page', async () => {
    const paged = world({ metadata: { ...metadata, end_session_endpoint: `${issuer}/sign-out` } })
    const one = createSession({ id_token: 'id-token' })
    const url = new URL((await paged.client.signOutUrl(one, 'https://app.example/')) ?? '')
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'native',
      id_token_hint: 'id-token',
      post_logout_redirect_uri: 'https://app.example/',
    })
    expect(await world().client.signOutUrl(one)).toBeUndefined()
  })

  it('[RFC7009-2.1] signing out ends the refresh token, and the session with it', async () => {
    const { client, forms } = world({ '/revoke': { json: {} } })
    const one = session()
    await client.signOut(one)
    expect(forms('/revoke')).toMatchObject([{ token: 'refresh-1', token_type_hint: 'refresh_token' }])
    await expectReason(client.token({ session: one }), 'sign_in_required')
  })
})

interface Reply {
  readonly status?: number
  readonly json: unknown
  readonly headers?: Readonly<Record<string, string>>
}
type Form = Readonly<Record<string, string>>
type Answers = Readonly<Record<string, unknown>> & { readonly metadata?: object }

/** A client, and a server that answers with what it is given, by path. */
function world(answers: Answers = {}, options: Partial<ClientOptions> = {}) {
  const clock = { now: began }
  const seen: { path: string; form: Form }[] = []
  const fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { pathname: path } = new URL(String(input))
    if (path.startsWith('/.well-known')) return Response.json(answers.metadata ?? metadata)
    if (path === '/jwks') {
      return Response.json({ keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'ES256', use: 'sig' }] })
    }
    const form = Object.fromEntries(new URLSearchParams(String(init.body ?? '')))
    seen.push({ path, form })
    const found = answers[path]
    const made: unknown = typeof found === 'function' ? await found(form, new Headers(init.headers)) : found
    const { status = 200, json = {}, headers = {} } = (made ?? {}) as Partial<Reply>
    return Response.json(json, { status, headers })
  }
  const client: Client = createClient({ issuer, client_id: 'native', ...options }, { fetch, now: () => clock.now })
  const forms = (path: string) => seen.filter((each) => each.path === path).map(({ form }) => form)
  return { client, clock, forms }
}

interface Wrong {
  readonly metadata?: object
  readonly '/token'?: unknown
  readonly claims?: object
  readonly signer?: GenerateKeyPairResult
  readonly id_token?: string | undefined
}

/** A sign-in that waits for its answer, and the good answer. */
async function begun(wrong: Wrong, request: { scope?: string } = {}, options: Partial<ClientOptions> = {}) {
  const expected: { nonce?: string } = {}
  const answer = async () => {
    const claims = { iss: issuer, sub: 'user:alice', aud: 'native', iat: began, exp: began + 60, ...expected }
    const id_token = await new SignJWT({ ...claims, ...wrong.claims })
      .setProtectedHeader({ alg: 'ES256' })
      .sign((wrong.signer ?? keys).privateKey)
    const shown = 'id_token' in wrong ? wrong.id_token : id_token
    return { json: { ...granted('first'), refresh_token: 'refresh-1', id_token: shown } }
  }
  const made = world({ '/token': answer, ...wrong }, options)
  const pending = await made.client.authorize({ redirect_uri, ...request })
  if (pending.nonce !== undefined) expected.nonce = pending.nonce
  return { ...made, pending, good: { code: 'code', state: pending.state, iss: issuer } }
}

function granted(access_token: string) {
  return { access_token, token_type: 'Bearer', expires_in: 300 }
}

async function expectReason(call: Promise<unknown>, reason: string): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ reason })
}
