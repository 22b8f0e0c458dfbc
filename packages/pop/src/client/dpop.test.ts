import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64url } from '../foundation/base64url.ts'
import { parseJwt } from '../foundation/jws.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { Refused, refusals } from '../oauth/refusal.ts'
import { type DpopPolicy, verifyDpopProof } from '../proof/dpop.ts'
import { createDpopContext } from '../proof/dpop-context.ts'
import { createTestProofKey, type TestProofKey } from '../testing/proofs.ts'
import { createSession } from './authorization/session.ts'
import { type ClientOptions, createClient } from './client.ts'
import { ClientError } from './client-error.ts'

const issuer = 'https://as.example'
const api = 'https://api.example/things'
const start = 1_800_000_000

let key: TestProofKey
beforeAll(() => {
  key = createTestProofKey()
})

describe('RFC 9449 §5 a client that binds its tokens to a key', () => {
  it('[RFC9449-4.1-1, RFC9449-5-1, RFC9449-7-1, RFC9449-7.1-1] brings a proof to the token endpoint, and token and proof to the API', async () => {
    const { client, seen } = world()
    const token = await client.token()
    expect([token.token_type, token.confirmation]).toEqual(['DPoP', { jkt: key.thumbprint }])
    expect((await client.fetch(`${api}?page=2#top`)).status).toBe(200)
    const [, call] = seen
    expect(call?.authorization).toBe(`DPoP ${token.access_token}`)
    expect(call?.claims.ath).toBe(encodeBase64url(nodeHash(token.access_token)))
    expect(seen.map(({ claims }) => [claims.htm, claims.htu])).toEqual([
      ['POST', `${issuer}/token`],
      ['GET', api],
    ])
  })

  it('[RFC9449-4.2-5] never gives a jti twice, of 128 bit each', async () => {
    const { client, seen } = world()
    await Promise.all(Array.from({ length: 50 }, () => client.fetch(api)))
    const ids = seen.map(({ claims }) => String(claims.jti))
    expect(ids).toHaveLength(51)
    expect(new Set(ids).size).toBe(51)
    expect(ids.every((id) => /^[\w-]{22}$/.test(id))).toBe(true)
  })

  it.each([
    ['get', 'GET'],
    ['post', 'POST'],
    ['report', 'report'],
    ['PATCH', 'PATCH'],
  ])('[RFC9449-4.2-6] names the method as it is sent: %s', async (method, htm) => {
    const { client, seen } = world()
    await client.fetch(api, { method })
    expect(seen.at(-1)?.claims.htm).toBe(htm)
  })

  it('names the method and the address of a Request', async () => {
    const { client, seen } = world()
    expect((await client.fetch(new Request(`${api}/a b?q`, { method: 'DELETE' }))).status).toBe(200)
    expect(seen.at(-1)?.claims).toMatchObject({ htm: 'DELETE', htu: `${api}/a%20b` })
  })

  it('proves nothing where no token is bound: at revocation and introspection', async () => {
    const { client, seen } = world()
    await client.introspect(await client.token())
    await client.revoke('x')
    expect(seen.map(({ path, proof }) => [path, proof !== undefined])).toEqual([
      ['/token', true],
      ['/introspect', false],
      ['/revoke', false],
    ])
  })

  it('puts its own proof in place of one that the caller wrote', async () => {
    const { client } = world()
    expect((await client.fetch(api, { headers: { DPoP: 'x' } })).status).toBe(200)
  })

  it.each(['https://user:secret@api.example/', 'https://api.example/%zz'])(
    'is not made for an address that two would read differently: %s',
    async (address) => {
      const { client, seen } = world()
      await expectReason(client.fetch(address), 'address_unprovable')
      expect(seen.map(({ path }) => path)).toEqual(['/token'])
    },
  )

  it('wants a key', () => {
    expect(() => createClient({ issuer, client_id: 'client', binding: 'dpop' })).toThrow(
      expect.objectContaining({ reason: 'proof_key_missing' }),
    )
  })

  it('uses no key where another binding is asked for', async () => {
    const { client, seen } = world({ token: { token_type: 'Bearer' } }, { binding: 'none' })
    expect((await client.token()).token_type).toBe('Bearer')
    expect(seen[0]?.proof).toBeUndefined()
  })
})

describe('RFC 9449 §5 an answer that is not what was asked for', () => {
  it.each([
    ['[RFC9449-5-9] [C07] Bearer', { token_type: 'Bearer' }, 'token_type_unexpected'],
    ['[RFC9449-5-9] no type', { token_type: undefined }, 'response_malformed'],
    ['an unbound JWT', { access_token: jwt({}) }, 'token_unbound'],
    ['a JWT bound to a certificate', { access_token: jwt({ cnf: { 'x5t#S256': 'A'.repeat(43) } }) }, 'token_unbound'],
    [
      '[C14] a JWT bound to another key',
      { access_token: jwt({ cnf: { jkt: 'A'.repeat(43) } }) },
      'token_bound_elsewhere',
    ],
  ])('is thrown away: %s', async (_, token, reason) => {
    const { client, seen } = world({ token })
    await expectReason(client.fetch(api), reason)
    expect(seen.map(({ path }) => path)).toEqual(['/token'])
  })

  it.each(['DPoP', 'dpop', 'DPOP'])('takes an opaque token of type %s', async (token_type) => {
    const { client } = world({ token: { token_type, access_token: 'opaque' } })
    expect(await client.token()).toMatchObject({ token_type: 'DPoP', confirmation: undefined })
  })

  it('is told apart from DPoP where none was asked for', async () => {
    await expectReason(world({}, { binding: 'none' }).client.token(), 'token_type_unexpected')
  })
})

describe('RFC 9449 §8, §9 nonces', () => {
  it('[C05, C06] [RFC9449-8-4, RFC9449-9-3, RFC9449-7.3-1] are learned from a refusal, each server its own, and the request is sent once more', async () => {
    const { client, seen } = world({ policy: 'required' })
    expect((await client.fetch(api)).status).toBe(200)
    expect(seen.map(({ path, claims }) => [path, claims.nonce !== undefined])).toEqual([
      ['/token', false],
      ['/token', true],
      ['/things', false],
      ['/things', true],
    ])
    expect(new Set(seen.map(({ claims }) => claims.jti)).size).toBe(4)
    expect(seen[1]?.claims.nonce).not.toBe(seen[3]?.claims.nonce)
  })

  it('[RFC9449-8.2-2, RFC9449-4.2-8] the newest is used from then on: of a success, and of the answer to the repeated request', async () => {
    const { client, clock, seen } = world({ policy: 'required' })
    await client.fetch(api)
    clock.now += 10
    await client.fetch(api)
    clock.now += 295
    expect((await client.fetch(api)).status).toBe(200)
    expect(seen).toHaveLength(4 + 1 + 1)
    expect(seen.at(-1)?.claims.nonce).toBe(seen[4]?.nextNonce)
  })

  it('[RFC9449-8.2-2] are learned from the answer to the repeated request too', async () => {
    const answers = [
      challenged('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'a' }),
      new Response('', { headers: { 'dpop-nonce': 'b' } }),
    ]
    const { client, seen } = world({ '/things': () => answers.shift() ?? new Response('') })
    await client.fetch(api)
    await client.fetch(api)
    expect(seen.slice(1).map(({ claims }) => claims.nonce)).toEqual([undefined, 'a', 'b'])
  })

  it('[RFC9449-9-3] are kept apart where server and API have one origin', async () => {
    const { client, seen } = world({ policy: 'required' })
    await client.fetch(`${issuer}/things`)
    expect(seen.map(({ path, claims }) => [path, claims.nonce !== undefined])).toEqual([
      ['/token', false],
      ['/token', true],
      ['/things', false],
      ['/things', true],
    ])
  })

  it('serve UserInfo and the token endpoint alike', async () => {
    const { client, seen } = world({ policy: 'required' })
    await client.userinfo(createSession({ refresh_token: 'r' }))
    expect(seen.map(({ path }) => path)).toEqual(['/token', '/token', '/userinfo'])
  })

  it('[C05] do not loop at a token endpoint that always wants another one', async () => {
    let count = 0
    const always = () => refusal(400, 'use_dpop_nonce', { 'dpop-nonce': `nonce-${count++}` })
    const { client, seen } = world({ '/token': always })
    const asked = client.token()
    await expectReason(asked, 'request_refused')
    await expect(asked).rejects.toMatchObject({ error: 'use_dpop_nonce' })
    expect(seen.map(({ claims }) => claims.nonce)).toEqual([undefined, 'nonce-0'])
  })

  it('[C05] do not loop at an API that always wants another one', async () => {
    let count = 0
    const always = () => challenged('DPoP error="use_dpop_nonce"', { 'dpop-nonce': `nonce-${count++}` })
    const { client, seen } = world({ '/things': always })
    expect((await client.fetch(api)).status).toBe(401)
    expect(seen.slice(1).map(({ claims }) => claims.nonce)).toEqual([undefined, 'nonce-0'])
  })

  it.each([
    ['without a nonce', {}],
    ['with two', { 'dpop-nonce': 'a, b' }],
    ['with one that cannot stand in a header', { 'dpop-nonce': 'a"b' }],
    ['with an endless one', { 'dpop-nonce': 'x'.repeat(2000) }],
  ])('are not guessed: a refusal %s is an error at once', async (_, headers) => {
    const { client, seen } = world({ '/token': () => refusal(400, 'use_dpop_nonce', headers) })
    await expectReason(client.token(), 'request_refused')
    expect(seen).toHaveLength(1)
  })

  it.each([
    ['among others', 'Bearer error="use_dpop_nonce", DPoP algs="ES256", error="use_dpop_nonce"', 2],
    ['after one of another scheme', 'Basic realm="a, DPoP error=x", DPoP error="use_dpop_nonce"', 2],
    ['[RFC9449-7.1-7] with unknown parameters', 'DPoP a=b, c="d\\"e", ERROR=use_dpop_nonce', 2],
    ['of another scheme', 'Bearer error="use_dpop_nonce"', 1],
    ['without an error', 'DPoP algs="ES256"', 1],
    ['in a text only', 'DPoP error_description="error=use_dpop_nonce"', 1],
  ])('are asked for by a DPoP challenge: %s', async (_, challenge, times) => {
    const { client, seen } = world({ '/things': () => challenged(challenge, { 'dpop-nonce': 'n' }) })
    await client.fetch(api)
    expect(seen.filter(({ path }) => path === '/things')).toHaveLength(times)
  })

  it('[C27] whatever an API writes there: no more than one of each is sent again, and nothing else is thrown', async () => {
    const bits = ['DPoP', 'Bearer', 'error', '=', '"', '\\', ',', ' ', 'use_dpop_nonce', 'invalid_token', '\t', 'a']
    const text = fc.array(fc.constantFrom(...bits), { maxLength: 40 }).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(text, fc.stringMatching(/^[ -~]{0,40}$/), async (challenge, nonce) => {
        const answer = () => challenged(challenge, { 'dpop-nonce': nonce, date: nonce })
        const { client, seen } = world({ '/things': answer })
        expect((await client.fetch(api)).status).toBe(401)
        expect(seen.filter(({ path }) => path === '/things').length).toBeLessThanOrEqual(3)
      }),
      { numRuns: 300 },
    )
  })

  it('and a token that was refused: each is answered once', async () => {
    const answers = [
      challenged('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'n' }),
      challenged('DPoP error="invalid_token"', { 'dpop-nonce': 'm' }),
      challenged('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'o' }),
    ]
    const { client, seen } = world({ '/things': () => answers.shift() ?? new Response('') })
    expect((await client.fetch(api)).status).toBe(401)
    expect(seen.map(({ path, claims }) => [path, claims.nonce])).toEqual([
      ['/token', undefined],
      ['/things', undefined],
      ['/things', 'n'],
      ['/token', undefined],
      ['/things', 'm'],
    ])
  })

  it('64 calls at once, without a nonce yet, all succeed, and none is sent three times', async () => {
    const { client, seen } = world({ policy: 'required' })
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => client.fetch(`${api}/${at}`)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(seen.filter(({ path }) => path === '/token')).toHaveLength(2)
    expect(seen.length).toBeLessThanOrEqual(2 + 2 * 64)
    expect(new Set(seen.map(({ claims }) => claims.jti)).size).toBe(seen.length)
  })

  it('an assertion is made anew for the request that is repeated', async () => {
    const made: string[] = []
    const authentication: ClientOptions['authentication'] = () => {
      made.push(`assertion-${made.length}`)
      return { form: { client_assertion: made.at(-1) ?? '' } }
    }
    const { client } = world({ policy: 'required' }, { authentication })
    await client.token()
    expect(made).toHaveLength(2)
  })
})

describe('RFC 9449 §11.1 [C24] a clock that is wrong', () => {
  it.each([600, -600, 61, -11])('is learned from the Date of the refusal: %i s', async (ahead) => {
    const { client, seen } = world({ ahead })
    expect((await client.fetch(api)).status).toBe(200)
    expect(seen.map(({ path }) => path)).toEqual(['/token', '/token', '/things', '/things'])
    await client.fetch(api)
    expect(seen).toHaveLength(5)
    expect(seen.at(-1)?.claims.iat).toBe(start + ahead)
  })

  it.each([
    ['differs by 5 s', 5, 1],
    ['differs by 6 s', 6, 2],
    ['differs by 6 s the other way', -6, 2],
  ])('is not blamed for a refusal unless it is wrong: it %s', async (_, ahead, times) => {
    const { client, seen } = world({ ahead, '/token': () => refusal(400, 'invalid_dpop_proof', dated(ahead)) })
    await expectReason(client.token(), 'request_refused')
    expect(seen).toHaveLength(times)
  })

  it('is learned once for 64 calls at once, which all pass', async () => {
    const { client, seen } = world({ ahead: 600 })
    await client.token()
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => client.fetch(`${api}/${at}`)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(seen.length).toBeLessThanOrEqual(2 + 2 * 64)
  })

  it('is not blamed again once it is corrected', async () => {
    const answers = [new Response(''), challenged('DPoP error="invalid_dpop_proof"', dated(600))]
    const { client, seen } = world({ ahead: 600, '/things': () => answers.pop() ?? new Response('') })
    await client.fetch(api)
    answers.push(challenged('DPoP error="invalid_dpop_proof"', dated(600)))
    const before = seen.length
    expect((await client.fetch(api)).status).toBe(401)
    expect(seen).toHaveLength(before + 1)
  })

  it.each([
    ['without a Date', {}],
    ['with a Date that is none', { date: 'yesterday' }],
  ])('cannot be learned %s', async (_, headers) => {
    const { client, seen } = world({ '/token': () => refusal(400, 'invalid_dpop_proof', headers) })
    await expectReason(client.token(), 'request_refused')
    expect(seen).toHaveLength(1)
  })

  it('is not set by an answer that refuses something else', async () => {
    const { client, seen } = world({ '/things': () => challenged('DPoP error="insufficient_scope"', dated(600)) })
    await client.fetch(api)
    await client.fetch(api)
    expect(seen.map(({ claims }) => claims.iat)).toEqual([start, start, start])
  })

  it('does not loop where the server says another time with each answer', async () => {
    const dates = [100, 200, 300].map(dated)
    const { client, seen } = world({ '/token': () => refusal(400, 'invalid_dpop_proof', dates.shift() ?? {}) })
    await expectReason(client.token(), 'request_refused')
    expect(seen).toHaveLength(2)
  })

  it('is served by a nonce where the server asks for one instead', async () => {
    const { client, seen } = world({ ahead: 600, policy: 'on-skew' })
    expect((await client.fetch(api)).status).toBe(200)
    expect(seen).toHaveLength(4)
  })
})

describe('a body that is a stream', () => {
  const mebibyte = 1024 * 1024
  const streamed = (size: number) => ({ method: 'POST', body: streamOf(size), duplex: 'half' }) as RequestInit

  it.each([
    ['a stream of 1 MiB', () => [api, streamed(mebibyte)] as const, mebibyte],
    ['an empty stream', () => [api, streamed(0)] as const, 0],
    ['the body of a Request', () => [new Request(api, { method: 'POST', body: 'text' })] as const, 4],
    [
      'a stream in place of that of a Request',
      () => [new Request(api, { method: 'POST', body: 'text' }), streamed(7)] as const,
      7,
    ],
  ])('is sent again where it is short: %s', async (_, request, size) => {
    const { client, seen } = world({ policy: 'required' })
    await client.token()
    const [input, init] = request()
    expect((await client.fetch(input, init)).status).toBe(200)
    expect(seen.slice(2).map(({ size }) => size)).toEqual([size, size])
  })

  it('keeps its type', async () => {
    const { client, seen } = world()
    await client.fetch(new Request(api, { method: 'POST', body: new URLSearchParams('a=b') }))
    expect(seen.at(-1)).toMatchObject({ type: 'application/x-www-form-urlencoded;charset=UTF-8', size: 3 })
  })

  it('is sent whole where it is longer, once: the nonce is learned, and the next one passes', async () => {
    const { client, seen } = world({ policy: 'required' })
    await client.token()
    await expectReason(client.fetch(api, streamed(mebibyte + 1)), 'body_not_repeatable')
    expect((await client.fetch(api, streamed(3 * mebibyte + 5))).status).toBe(200)
    expect(seen.slice(2).map(({ size }) => size)).toEqual([mebibyte + 1, 3 * mebibyte + 5])
  })

  it('that gives no bytes is refused', async () => {
    const { client } = world()
    const text = new ReadableStream({ start: (controller) => controller.enqueue('text') })
    await expect(client.fetch(api, { method: 'POST', body: text })).rejects.toBeInstanceOf(TypeError)
  })

  it("does not outlast the caller's patience", async () => {
    const { client } = world()
    const call = client.fetch(api, { method: 'POST', body: new ReadableStream(), signal: AbortSignal.timeout(10) })
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' })
  })
})

describe('RFC 9449 §10 a code that is bound to the key', () => {
  const request = { redirect_uri: 'https://app.example/', scope: 'api1' }

  it('[RFC9449-10-3] names the key in the address where requests cannot be pushed', async () => {
    const { url } = await world().client.authorize(request)
    expect(new URL(url).searchParams.get('dpop_jkt')).toBe(key.thumbprint)
  })

  it('brings a proof where they can, and learns a nonce there', async () => {
    const { client, seen } = world({ policy: 'required', par: true })
    const { url } = await client.authorize(request)
    expect([...new URL(url).searchParams.keys()]).toEqual(['client_id', 'request_uri'])
    expect(seen.map(({ path, claims }) => [path, claims.htu, claims.nonce !== undefined])).toEqual([
      ['/par', `${issuer}/par`, false],
      ['/par', `${issuer}/par`, true],
    ])
    expect(seen.at(-1)?.form.dpop_jkt).toBe(key.thumbprint)
  })

  it('names no key where nothing is bound to one', async () => {
    const { url } = await world({}, { binding: 'none' }).client.authorize(request)
    expect(new URL(url).searchParams.has('dpop_jkt')).toBe(false)
  })

  it('is redeemed once more when the proof was refused, which burns nothing', async () => {
    const { client, seen } = world({ policy: 'required' })
    const { state, ...pending } = await client.authorize(request)
    await client.redeem(new URLSearchParams({ code: 'code', state }), { ...pending, state })
    expect(seen.map(({ path, form }) => [path, form.code])).toEqual([
      ['/token', 'code'],
      ['/token', 'code'],
    ])
  })

  it('[RFC9449-5-7] refreshes with the same key', async () => {
    const { client, seen } = world()
    await client.token({ session: createSession({ refresh_token: 'r' }) })
    expect(seen[0]).toMatchObject({ form: { grant_type: 'refresh_token' }, jkt: key.thumbprint })
  })
})

interface World {
  readonly policy?: DpopPolicy['nonces']
  /** How far the servers' clocks are ahead. */
  readonly ahead?: number
  readonly par?: boolean
  /** What is different about the token response. */
  readonly token?: object
  readonly [path: `/${string}`]: () => Response
}

interface Seen {
  readonly path: string
  readonly authorization: string | null
  readonly type: string | null
  readonly size: number
  readonly form: Readonly<Record<string, string>>
  readonly proof: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
  readonly jkt?: string
  readonly nextNonce?: string | undefined
}

/** An authorization server and an API that judge every proof, a clock that stands still, and a record of what was sent. */
function world(
  { policy = 'off', ahead = 0, par = false, token, ...answers }: World = {},
  options: Partial<ClientOptions> = {},
) {
  const clock = { now: start }
  const seen: Seen[] = []
  const used = new Set<string>()
  const context = (name: string) =>
    createDpopContext(new TextEncoder().encode(name.padEnd(32)), {
      now: () => clock.now + ahead,
      primitives: nodePrimitives,
    })
  const contexts = { server: context('server'), api: context('api') }

  const judge = async (request: Request, path: string): Promise<Partial<Seen>> => {
    const [, accessToken] = (request.headers.get('authorization') ?? '').split(' ')
    const isApi = path.startsWith('/things')
    const proofs = [request.headers.get('dpop')].flatMap((proof) => proof ?? [])
    const url = isApi ? `${new URL(request.url).origin}${path}` : `${issuer}${path}`
    const proven = { method: request.method, url, ...(accessToken !== undefined && { accessToken }) }
    const policyHere = { algorithms: ['ES256'], nonces: policy } as const
    const judged = await verifyDpopProof(proofs, proven, policyHere, isApi ? contexts.api : contexts.server)
    if (used.has(judged.use.key)) throw new Refused('dpop_replayed')
    used.add(judged.use.key)
    return { jkt: judged.possession.thumbprint, nextNonce: judged.nextNonce }
  }

  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { pathname: path } = new URL(request.url)
    if (path.startsWith('/.well-known')) return Response.json(metadataOf(par))
    const proof = request.headers.get('dpop') ?? undefined
    const bytes = new Uint8Array(await request.clone().arrayBuffer())
    const entry = {
      path,
      proof,
      authorization: request.headers.get('authorization'),
      type: request.headers.get('content-type'),
      size: bytes.length,
      form: bytes.length < 4096 ? Object.fromEntries(new URLSearchParams(new TextDecoder().decode(bytes))) : {},
      claims: (proof === undefined ? undefined : parseJwt(proof)?.claims) ?? {},
    }
    const found = answers[path as `/${string}`]
    if (found || proof === undefined) {
      seen.push(entry)
      return found?.() ?? Response.json(path === '/introspect' ? { active: true } : { ...granted('none'), ...token })
    }
    try {
      const judged = await judge(request, path)
      seen.push({ ...entry, ...judged })
      const headers = { ...(judged.nextNonce !== undefined && { 'dpop-nonce': judged.nextNonce }) }
      if (path === '/par') return Response.json({ request_uri: 'urn:x' }, { status: 201, headers })
      return Response.json({ ...granted(judged.jkt ?? ''), ...token }, { headers })
    } catch (refused) {
      seen.push(entry)
      if (!(refused instanceof Refused)) throw refused
      const { error } = refusals[refused.reason]
      const headers = {
        ...dated(ahead + clock.now - start),
        ...(refused.nonce !== undefined && { 'dpop-nonce': refused.nonce }),
      }
      const isApi = path.startsWith('/things') || path === '/userinfo'
      return isApi ? challenged(`DPoP error="${error}"`, headers) : refusal(400, error, headers)
    }
  }
  const client = createClient(
    { issuer, client_id: 'client', proofKey: key, ...options },
    { fetch, now: () => clock.now },
  )
  return { client, clock, seen }
}

function metadataOf(par: boolean) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    userinfo_endpoint: `${issuer}/userinfo`,
    ...(par && { pushed_authorization_request_endpoint: `${issuer}/par` }),
  }
}

function granted(jkt: string) {
  return { access_token: jwt({ cnf: { jkt } }), token_type: 'DPoP', expires_in: 3600 }
}

function refusal(status: number, error: string, headers: Record<string, string>): Response {
  return Response.json({ error }, { status, headers })
}

function challenged(challenge: string, headers: Record<string, string>): Response {
  return new Response('', { status: 401, headers: { 'www-authenticate': challenge, ...headers } })
}

function dated(ahead: number) {
  return { date: new Date((start + ahead) * 1000).toUTCString() }
}

function jwt(claims: object): string {
  const part = (value: object) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
  return `${part({ alg: 'ES256' })}.${part(claims)}.AAAA`
}

function nodeHash(text: string): Uint8Array {
  return nodePrimitives.sha256(new TextEncoder().encode(text)) as Uint8Array
}

function streamOf(size: number): ReadableStream<Uint8Array> {
  let left = size
  return new ReadableStream({
    pull(controller) {
      const length = Math.min(left, 65_536)
      left -= length
      if (length > 0) controller.enqueue(new Uint8Array(length))
      else controller.close()
    },
  })
}

async function expectReason(call: Promise<unknown>, reason: string): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ reason })
}
