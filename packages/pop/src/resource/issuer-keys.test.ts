import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../node/primitives.ts'
import { inboundWith } from '../testing/inbound.ts'
import { createTestIssuer, type TestIssuer, testNow } from '../testing/issuer.ts'
import { createGuard, type Guard } from './guard.ts'
import { createFixedKeys } from './issuer-keys.ts'

/** An issuer that can be down, change its keys and its metadata, and a guard whose clock can be moved. */
function createSetting(issuer: TestIssuer = createTestIssuer()) {
  const world = {
    now: testNow,
    down: false,
    hangs: false,
    etag: undefined as string | undefined,
    issuer,
    metadata: {},
    keys: undefined as unknown,
    answered: 0,
    unchanged: 0,
    asked: new Headers(),
    verified: 0,
  }
  const guard = createGuard(
    { issuer: issuer.issuer, identifier: issuer.audience, binding: 'when-bound' },
    {
      primitives: {
        ...nodePrimitives,
        verify: (...signed) => {
          world.verified++
          return nodePrimitives.verify(...signed)
        },
      },
      now: () => world.now,
      fetch: async (url, init) => {
        world.answered++
        if (world.down) throw new TypeError('fetch failed')
        if (url.endsWith('/keys')) {
          world.asked = new Headers(init.headers)
          if (world.hangs)
            return await new Promise((_, reject) =>
              init.signal?.addEventListener('abort', () => reject(new TypeError('timed out'))),
            )
          if (world.etag !== undefined && world.asked.get('if-none-match') === world.etag) {
            world.unchanged++
            return new Response(null, { status: 304 })
          }
          const headers: Record<string, string> = world.etag === undefined ? {} : { etag: world.etag }
          return Response.json(world.keys ?? world.issuer.jwks, { headers })
        }
        if (url.includes('/.well-known/')) return Response.json({ ...issuer.metadata, ...world.metadata })
        return issuer.fetch(url, init)
      },
    },
  )
  return { world, guard, token: (header = {}) => issuer.accessToken({ header, claims: { exp: testNow + 1e6 } }) }
}

async function ask(guard: Guard, token: string) {
  const verdict = await guard.judge(inboundWith(token))
  return verdict.admitted ? 'admitted' : verdict.reason
}

describe('the keys of the issuer', () => {
  it('are fetched once for many who wait', async () => {
    const { world, guard, token } = createSetting()
    const asked = Array.from({ length: 50 }, () => ask(guard, token()))
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['admitted']))
    expect(world.answered).toBe(2)
  })

  it('incident 64: names that nobody knows cause one fetch in 30 seconds, and known keys go on', async () => {
    const { world, guard, token } = createSetting()
    expect(await ask(guard, token())).toBe('admitted')
    world.now += 30
    for (let i = 0; i < 500; i++) expect(await ask(guard, token({ kid: `random-${i}` }))).toBe('token_key_unknown')
    expect(world.answered).toBe(3)
    world.now += 29
    expect(await ask(guard, token({ kid: 'random' }))).toBe('token_key_unknown')
    expect(world.answered).toBe(3)
    world.now += 1
    expect(await ask(guard, token({ kid: 'random' }))).toBe('token_key_unknown')
    expect(world.answered).toBe(4)
    expect(await ask(guard, token())).toBe('admitted')
  })

  it('are fetched again when the clock was put back', async () => {
    const { world, guard, token } = createSetting()
    world.now += 3600
    expect(await ask(guard, token())).toBe('admitted')
    const next = createTestIssuer({ kid: 'next' })
    world.keys = { keys: keysOf(next) }
    world.now -= 3600
    const signed = next.accessToken({ claims: { exp: testNow + 1e6 } })
    expect(await ask(guard, signed)).toBe('admitted')
    expect(await ask(guard, token())).toBe('token_key_unknown')
  })

  it('that are new are found when a token names them', async () => {
    const { world, guard, token } = createSetting()
    expect(await ask(guard, token())).toBe('admitted')
    const next = createTestIssuer({ kid: 'next' })
    world.keys = { keys: [...keysOf(world.issuer), ...keysOf(next)] }
    world.now += 30
    expect(await ask(guard, next.accessToken())).toBe('admitted')
    expect(await ask(guard, token())).toBe('admitted')
  })

  it.each(['verified before', 'new'])(
    '[F17] that are revoked are worth nothing after 30 seconds, to a token that is %s',
    async (which) => {
      const { world, guard, token } = createSetting()
      const verified = token()
      const judged = () => (which === 'new' ? token() : verified)
      expect(await ask(guard, verified)).toBe('admitted')
      world.keys = { keys: keysOf(createTestIssuer({ kid: 'next' })) }
      world.now += 29
      expect(await ask(guard, judged())).toBe('admitted')
      expect(world.answered).toBe(2)
      world.now += 1
      expect(await ask(guard, judged())).toBe('token_key_unknown')
      expect(world.answered).toBe(3)
    },
  )

  it('that did not change do not travel again, and caches on the way are asked whether that is so', async () => {
    const { world, guard, token } = createSetting()
    world.etag = '"one"'
    expect(await ask(guard, token())).toBe('admitted')
    for (let minutes = 0; minutes < 5; minutes++) {
      world.now += 60
      expect(await ask(guard, token())).toBe('admitted')
    }
    expect(world.unchanged).toBe(5)
    expect(world.asked.get('cache-control')).toBe('no-cache')
    world.etag = '"two"'
    world.keys = { keys: keysOf(createTestIssuer({ kid: 'next' })) }
    world.now += 60
    expect(await ask(guard, token())).toBe('token_key_unknown')
  })

  it('are looked for at another address within ten minutes, in full', async () => {
    const { world, guard, token } = createSetting()
    world.etag = '"one"'
    expect(await ask(guard, token())).toBe('admitted')
    world.metadata = { jwks_uri: 'https://issuer.test/other/keys' }
    world.now += 600
    expect(await ask(guard, token())).toBe('admitted')
    expect(world.unchanged).toBe(1)
    world.now += 31
    expect(await ask(guard, token())).toBe('admitted')
    expect(world.unchanged).toBe(1)
  })

  it('are looked for at another address at once where there are none at the one before', async () => {
    const { world, guard, token } = createSetting()
    expect(await ask(guard, token())).toBe('admitted')
    world.keys = { keys: [] }
    world.now += 30
    expect(await ask(guard, token())).toBe('admitted')
    world.metadata = { jwks_uri: 'https://issuer.test/other/keys' }
    world.keys = { keys: keysOf(createTestIssuer({ kid: 'next' })) }
    world.now += 30
    const before = world.answered
    await ask(guard, token())
    await expect.poll(() => world.answered - before).toBe(2)
  })

  it('[F18] of an issuer that hangs cost one second once, and go on', async () => {
    const { world, guard, token } = createSetting()
    const verified = token()
    expect(await ask(guard, verified)).toBe('admitted')
    world.hangs = true
    world.now += 30
    const began = performance.now()
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(guard, verified)))).toEqual(
      Array(20).fill('admitted'),
    )
    expect(performance.now() - began).toBeGreaterThan(900)
    expect(performance.now() - began).toBeLessThan(2500)
    const again = performance.now()
    expect(await ask(guard, verified)).toBe('admitted')
    expect(performance.now() - again).toBeLessThan(200)
    expect(await ask(guard, token({ kid: 'new' }))).toBe('keys_unavailable')
    expect(performance.now() - began).toBeGreaterThan(4500)
    expect(world.answered).toBe(3)
  })

  it('[F18] of an issuer that is away cost nobody any time', async () => {
    const { world, guard, token } = createSetting()
    expect(await ask(guard, token())).toBe('admitted')
    world.down = true
    world.now += 30
    expect(await ask(guard, token())).toBe('admitted')
    world.down = false
    world.hangs = true
    world.now += 30
    const began = performance.now()
    expect(await ask(guard, token())).toBe('admitted')
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('that stay do not have their tokens verified again', async () => {
    const { world, guard, token } = createSetting()
    const verified = token()
    expect(await ask(guard, verified)).toBe('admitted')
    const next = createTestIssuer({ kid: 'next' })
    world.keys = { keys: [...keysOf(world.issuer), ...keysOf(next)] }
    world.now += 60
    expect(await ask(guard, next.accessToken())).toBe('admitted')
    world.verified = 0
    expect(await ask(guard, verified)).toBe('admitted')
    expect(world.verified).toBe(0)
  })

  it('serve a day without the issuer, and not a second longer', async () => {
    const { world, guard, token } = createSetting()
    const verified = token()
    expect(await ask(guard, verified)).toBe('admitted')
    world.down = true
    world.now += 86_400
    expect(await ask(guard, verified)).toBe('admitted')
    expect(await ask(guard, token())).toBe('admitted')
    world.now += 1
    expect(await ask(guard, verified)).toBe('keys_unavailable')
    expect(await ask(guard, token())).toBe('keys_unavailable')
    world.down = false
    world.now += 30
    expect(await ask(guard, verified)).toBe('admitted')
  })

  it('that cannot be had are a 503 with Retry-After, also for a new name', async () => {
    const { world, guard, token } = createSetting()
    world.down = true
    expect(await guard.judge(inboundWith(token()))).toMatchObject({ status: 503, retryAfter: 2, challenges: [] })
    const answered = world.answered
    expect(await ask(guard, token())).toBe('keys_unavailable')
    expect(world.answered).toBe(answered)
    world.down = false
    world.now += 2
    expect(await ask(guard, token())).toBe('admitted')
    world.down = true
    world.now += 30
    expect(await ask(guard, token({ kid: 'new' }))).toBe('keys_unavailable')
  })

  it.each([
    ['another issuer', { issuer: 'https://other.test' }],
    ['no address of keys', { jwks_uri: undefined }],
    ['an address of keys without TLS', { jwks_uri: 'http://issuer.test/keys' }],
  ])('are not taken from metadata of %s', async (_, metadata) => {
    const { world, guard, token } = createSetting()
    world.keys = world.issuer.jwks
    world.metadata = metadata
    expect(await ask(guard, token())).toBe('keys_unavailable')
  })

  it.each([[{}], [{ keys: [] }], [{ keys: 'a' }], [{ keys: [{ kty: 'oct', k: 'AAAA' }] }]])(
    'are not taken from a set without a usable one: %j',
    async (keys) => {
      const { world, guard, token } = createSetting()
      world.keys = keys
      expect(await ask(guard, token())).toBe('keys_unavailable')
    },
  )
})

describe('S30: which key', () => {
  const issuer = createTestIssuer()
  const other = createTestIssuer()
  const [key] = keysOf(issuer)
  const [second] = keysOf(other)

  it('the only one that fits, for a token that names none', async () => {
    const rsa = keysOf(createTestIssuer({ algorithm: 'RS256', kid: 'rsa' }))
    await expect(createFixedKeys({ keys: [key, ...rsa] }).find(undefined, 'ES256')).resolves.toMatchObject({
      kty: 'EC',
    })
  })

  it('none, for a token that names none where two fit', async () => {
    const keys = createFixedKeys({ keys: [key, { ...second, kid: 'second' }] })
    await expect(keys.find(undefined, 'ES256')).rejects.toMatchObject({ reason: 'token_key_unknown' })
  })

  it('none, where two have the name', async () => {
    const keys = createFixedKeys({ keys: [key, second] })
    await expect(keys.find('test-key', 'ES256')).rejects.toMatchObject({ reason: 'token_key_unknown' })
  })

  it.each([1, null, {}, ['test-key'], ''])('none, for the name %j', async (kid) => {
    const keys = createFixedKeys({ keys: [key] })
    await expect(keys.find(kid, 'ES256')).rejects.toMatchObject({ reason: 'token_key_unknown' })
  })

  it('none that is there for another algorithm or use', async () => {
    for (const change of [{ alg: 'ES384' }, { use: 'enc' }]) {
      const keys = createFixedKeys({ keys: [{ ...key, ...change }] })
      await expect(keys.find('test-key', 'ES256')).rejects.toMatchObject({ reason: 'token_key_unknown' })
    }
  })
})

function keysOf({ jwks }: TestIssuer): object[] {
  return jwks.keys as object[]
}
