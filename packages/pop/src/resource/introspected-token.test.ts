import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../node/primitives.ts'
import { inboundWith } from '../testing/inbound.ts'
import { createTestIssuer, testNow } from '../testing/issuer.ts'
import { createGuard, type Guard } from './guard.ts'
import type { IntrospectionOptions } from './introspected-token.ts'
import type { GuardOptions } from './policy.ts'

/** A guard that asks an issuer, which can be made to answer anything. */
function createSetting(introspection: Partial<IntrospectionOptions> = {}, options: Partial<GuardOptions> = {}) {
  const issuer = createTestIssuer()
  const world = { now: testNow, issuer, answer: undefined as (() => Response | Promise<Response>) | undefined }
  const guard = createGuard(
    {
      issuer: issuer.issuer,
      identifier: issuer.audience,
      binding: 'when-bound',
      introspection: { client_id: 'api', client_secret: 'api-secret', ...introspection },
      ...options,
    },
    {
      primitives: nodePrimitives,
      now: () => world.now,
      fetch: (url, init) =>
        world.answer && url.endsWith('introspect') ? Promise.resolve(world.answer()) : issuer.fetch(url, init),
    },
  )
  return { world, issuer, guard, questions: () => issuer.fetched.filter((url) => url.endsWith('introspect')) }
}

async function ask(guard: Guard, token: string) {
  const verdict = await guard.judge(inboundWith(token))
  return verdict.admitted ? 'admitted' : verdict.reason
}

describe('RFC 7662 tokens that only their issuer can read', () => {
  it('[RFC7662-2.2] an active one is admitted', async () => {
    const { guard, issuer } = createSetting()
    expect(await guard.judge(inboundWith(issuer.referenceToken()))).toMatchObject({
      admitted: true,
      token: { form: 'reference', clientId: 'client', scope: ['api1'] },
    })
  })

  it('takes JWTs beside them, without asking', async () => {
    const { guard, issuer, questions } = createSetting()
    expect(await ask(guard, issuer.accessToken())).toBe('admitted')
    expect(questions()).toEqual([])
  })

  it('asks about JWTs too where only reference tokens are taken', async () => {
    const { guard, questions } = createSetting({}, { tokens: ['reference'] })
    expect(await ask(guard, 'a.b.c')).toBe('token_inactive')
    expect(questions()).toHaveLength(1)
  })

  it('refuses them where only JWTs are taken', async () => {
    const { guard, issuer, questions } = createSetting({}, { tokens: ['jwt'] })
    expect(await ask(guard, issuer.referenceToken())).toBe('token_malformed')
    expect(questions()).toEqual([])
  })

  it.each(['', 'a b', 'a, Bearer b', '"a"', 'ä', 'a'.repeat(16_384)])(
    'does not ask about what is no token: %.20j',
    async (text) => {
      const { guard, questions } = createSetting()
      expect(await ask(guard, text)).toBe('token_malformed')
      expect(questions()).toEqual([])
    },
  )

  it('one that is not active', async () => {
    const { guard } = createSetting()
    expect(await guard.judge(inboundWith('unknown'))).toMatchObject({ reason: 'token_inactive', status: 401 })
  })

  it.each([{ active: 'true' }, { active: 1 }, {}, { active: null }])('[S34] the answer %j', async (answer) => {
    const { guard, world } = createSetting()
    world.answer = () => Response.json({ client_id: 'client', ...answer })
    expect(await ask(guard, 'token')).toBe('token_inactive')
  })

  it.each<[string, () => Response | Promise<Response>]>([
    ['HTML', () => new Response('<html>', { status: 200 })],
    ['an array', () => Response.json([{ active: true }])],
    ['401', () => Response.json({ active: true }, { status: 401 })],
    ['a redirect', () => new Response(null, { status: 307, headers: { location: 'https://evil.test/' } })],
    ['more than 64 KiB', () => Response.json({ active: true, padding: 'a'.repeat(65_536) })],
    ['bytes that are no UTF-8', () => new Response(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))],
    ['nothing', () => Promise.reject(new TypeError('fetch failed'))],
  ])('[S34] an issuer that answers with %s: 503, and not remembered', async (_, answer) => {
    const { guard, world, issuer } = createSetting()
    const token = issuer.referenceToken()
    world.answer = answer
    expect(await guard.judge(inboundWith(token))).toMatchObject({
      reason: 'introspection_unavailable',
      status: 503,
      retryAfter: 5,
    })
    world.answer = undefined
    expect(await ask(guard, token)).toBe('admitted')
  })

  it('[S36] a revoked one works for as long as answers are kept, and not a second longer', async () => {
    const { guard, world, issuer, questions } = createSetting({ cache: 30 })
    const token = issuer.referenceToken()
    expect(await ask(guard, token)).toBe('admitted')
    issuer.revoke(token)
    world.now += 29
    expect(await ask(guard, token)).toBe('admitted')
    expect(questions()).toHaveLength(1)
    world.now += 1
    expect(await ask(guard, token)).toBe('token_inactive')
  })

  it('[S36] is asked about again when the clock was put back', async () => {
    const { guard, world, issuer } = createSetting({ cache: 30 })
    const token = issuer.referenceToken()
    world.now += 30
    expect(await ask(guard, token)).toBe('admitted')
    issuer.revoke(token)
    world.now -= 30
    expect(await ask(guard, token)).toBe('token_inactive')
  })

  it('[S36] one that expired never works, whatever is kept', async () => {
    const { guard, world, issuer } = createSetting({ cache: 600 })
    const token = issuer.referenceToken()
    expect(await ask(guard, token)).toBe('admitted')
    world.now += 304
    expect(await ask(guard, token)).toBe('admitted')
    world.now += 1
    expect(await ask(guard, token)).toBe('token_expired')
  })

  it('asks every time where nothing is to be kept', async () => {
    const { guard, issuer, questions } = createSetting({ cache: 0 })
    const token = issuer.referenceToken()
    expect(await ask(guard, token)).toBe('admitted')
    expect(await ask(guard, token)).toBe('admitted')
    expect(questions()).toHaveLength(2)
  })

  it('asks once for many who wait', async () => {
    const { guard, issuer, questions } = createSetting({ cache: 0 })
    const token = issuer.referenceToken()
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => ask(guard, token))))).toEqual(
      new Set(['admitted']),
    )
    expect(questions()).toHaveLength(1)
  })

  it('asks at most 256 questions at once', async () => {
    const { guard, world } = createSetting()
    const { promise, resolve } = Promise.withResolvers<void>()
    world.answer = async () => {
      await promise
      return Response.json({ active: true })
    }
    const asked = Array.from({ length: 257 }, (_, i) => ask(guard, `token-${i}`))
    expect(await asked[256]).toBe('introspection_unavailable')
    resolve()
    expect(await asked[255]).toBe('admitted')
    await Promise.all(asked)
  })

  it.each([
    ['token_issuer', { iss: 'https://other.test' }],
    ['token_audience', { aud: 'https://other.test' }],
    ['token_expired', { exp: testNow - 5 }],
    ['token_not_yet_valid', { nbf: testNow + 6 }],
    ['token_claims_malformed', { exp: 'tomorrow' }],
    ['token_claims_malformed', { scope: ['api1'] }],
    ['token_type_wrong', { token_type: 'refresh_token' }],
    ['confirmation_malformed', { cnf: null }],
    ['confirmation_unknown', { cnf: {} }],
    ['confirmation_certificate_missing', { cnf: { 'x5t#S256': 'A'.repeat(43) } }],
    ['token_is_dpop', { cnf: { jkt: 'A'.repeat(43) } }],
    ['token_is_dpop', { cnf: { jkt: 'A'.repeat(43) }, token_type: 'DPoP' }],
    ['token_type_wrong', { token_type: 'DPoP' }],
    ['token_type_wrong', { token_type: 'dpop', cnf: { 'x5t#S256': 'A'.repeat(43) } }],
  ])('refuses with %s an answer with %j', async (reason, claims) => {
    const { guard, issuer } = createSetting()
    expect(await ask(guard, issuer.referenceToken(claims))).toBe(reason)
  })

  it.each(['iss', 'aud', 'exp', 'iat', 'sub', 'client_id', 'jti', 'scope', 'token_type'])(
    'takes an answer without %s',
    async (name) => {
      const { guard, issuer } = createSetting()
      expect(await ask(guard, issuer.referenceToken({ [name]: undefined }))).toBe('admitted')
    },
  )

  it('[RFC6749-2.3.1] authenticates with form-encoded Basic credentials', async () => {
    const issuer = createTestIssuer()
    let seen: RequestInit | undefined
    const guard = createGuard(
      {
        issuer: issuer.issuer,
        identifier: issuer.audience,
        binding: 'when-bound',
        introspection: { client_id: 'a:b', client_secret: 'sé cret', endpoint: 'https://issuer.test/introspect' },
      },
      {
        primitives: nodePrimitives,
        now: issuer.now,
        fetch: async (_, init) => {
          seen = init
          return Response.json({ active: true })
        },
      },
    )
    expect(await ask(guard, 'token')).toBe('admitted')
    expect(new Headers(seen?.headers).get('authorization')).toBe(`Basic ${btoa('a%3Ab:s%C3%A9+cret')}`)
    expect(new URLSearchParams(String(seen?.body)).get('token')).toBe('token')
  })

  it('[RFC8705-5] asks at the alias only where it authenticates with a certificate', async () => {
    const withSecret = createSetting()
    await ask(withSecret.guard, 'token')
    expect(withSecret.questions()).toEqual(['https://issuer.test/introspect'])
    const issuer = createTestIssuer()
    const guard = createGuard(
      {
        issuer: issuer.issuer,
        identifier: issuer.audience,
        binding: 'when-bound',
        introspection: { client_id: 'api' },
      },
      { primitives: nodePrimitives, now: issuer.now, fetch: issuer.fetch },
    )
    expect(await ask(guard, issuer.referenceToken())).toBe('admitted')
    expect(issuer.fetched.at(-1)).toBe('https://issuer.test/mtls/introspect')
  })
})
