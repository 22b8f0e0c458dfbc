import { createDpopNonces } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { createTestProofKey } from '@holdfast/pop/testing'
import type { SettingsInput } from 'holdfast'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allow, redeem, startPeopleServer } from './authorized.ts'
import { createVerifier } from './browser.ts'
import { proofFor, userinfoWith, withProof } from './dpop.ts'
import { type Answer, baseClients, declined, type Harness, startServer } from './harness.ts'

const key = createTestProofKey()
const people = { grant_types: ['authorization_code', 'refresh_token'], scope: 'openid offline_access api1' } as const
const redirect = 'http://127.0.0.1/callback'
const native = {
  ...people,
  token_endpoint_auth_method: 'none',
  application_type: 'native',
  redirect_uris: [redirect],
} as const
const clients: SettingsInput['clients'] = [
  ...baseClients,
  { client_id: 'never', client_secret: 'secret', scope: 'api1', dpop_nonces: 'off' },
  { client_id: 'always', client_secret: 'secret', scope: 'api1', dpop_nonces: 'required' },
  { client_id: 'skewed', client_secret: 'secret', scope: 'api1', dpop_nonces: 'on-skew' },
  { ...people, client_id: 'web', client_secret: 'secret', redirect_uris: [redirect] },
  { ...native, client_id: 'native' },
  { ...native, client_id: 'native-never', dpop_nonces: 'off' },
  {
    client_id: 'device',
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
    scope: 'openid api1',
  },
]

const start = (nonces: 'off' | 'required' | 'required-for-public' | 'on-skew') =>
  startPeopleServer((settings) => ({ ...settings, clients, dpop: { nonces } }))

/** Asks as a client that authenticates, with a proof. */
const ask = (server: Harness, proof: string, client_id = 'client') => server.token({ client_id }, withProof(proof))

/** The one nonce of an answer that may not be kept. */
function nonceOf({ headers }: Answer): string {
  const { 'dpop-nonce': nonce } = headers
  if (typeof nonce !== 'string') throw new Error('no nonce')
  // Two headers of the name would be joined.
  expect(nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
  expect(nonce).not.toContain(',')
  expect(headers['cache-control']).toBe('no-store')
  return nonce
}

describe('RFC 9449 §8 nonces are required', () => {
  let server: Harness
  beforeAll(async () => {
    server = await start('required')
  })
  afterAll(() => server.close())

  const needsNonce = { status: 400, error: 'use_dpop_nonce' }
  const first = async () => nonceOf((await declined(server, ask(server, proofFor(server, key)))).answer)

  it('[RFC9449-8-1, RFC9449-8-3, RFC9449-8.1-1, RFC9449-4.3-10] [T102] who has none is given one, and then a token', async () => {
    const refused = await declined(server, ask(server, proofFor(server, key)))
    expect(refused).toMatchObject({ ...needsNonce, reason: 'dpop_nonce_missing' })
    const nonce = nonceOf(refused.answer)
    expect((await ask(server, proofFor(server, key, { nonce }))).json.token_type).toBe('DPoP')
  })

  it('[RFC9449-8.2-1, RFC9449-8.2-3] the answer has the next one, and that is taken', async () => {
    let nonce = await first()
    const seen = new Set([nonce])
    for (let times = 0; times < 3; times++) {
      const answer = await ask(server, proofFor(server, key, { nonce }))
      expect(answer.status).toBe(200)
      nonce = nonceOf(answer)
      seen.add(nonce)
      server.advance(10)
    }
    expect(seen.size).toBeGreaterThan(2)
  })

  it('[RFC9449-11.3-1] who was given one is not accepted without one', async () => {
    const nonce = await first()
    expect((await ask(server, proofFor(server, key, { nonce }))).status).toBe(200)
    expect(await declined(server, ask(server, proofFor(server, key)))).toMatchObject(needsNonce)
  })

  it.each([
    ['[RFC9449-8-2] [T103] 300 seconds later', 300, 200],
    ['[RFC9449-8-2] [T103] 301 seconds later', 301, 400],
  ])('%s', async (_, later, status) => {
    server.advance((10 - (server.freeze() % 10)) % 10)
    const nonce = await first()
    server.advance(later)
    const asked = ask(server, proofFor(server, key, { nonce }))
    if (status === 200) expect((await asked).status).toBe(200)
    else {
      const refused = await declined(server, asked)
      expect(refused).toMatchObject({ ...needsNonce, reason: 'dpop_nonce_unknown' })
      expect((await ask(server, proofFor(server, key, { nonce: nonceOf(refused.answer) }))).status).toBe(200)
    }
  })

  it.each([
    ['one that is altered', (nonce: string) => `${nonce.slice(0, -1)}${nonce.endsWith('A') ? 'B' : 'A'}`],
    ['one in a list', (nonce: string) => [nonce]],
    ['a number', () => 7],
    ['an empty one', () => ''],
    ['null', () => null],
    ['one with more behind it', (nonce: string) => `${nonce}A`],
    ['one without its time', (nonce: string) => `AAAAAAAAAAA${nonce.slice(11)}`],
  ])('[RFC9449-8-2] [T103] %s is none of ours', async (_, change) => {
    const nonce = change(await first())
    const refused = await declined(server, ask(server, proofFor(server, key, {}, { claims: { nonce } })))
    expect(refused).toMatchObject({ ...needsNonce, reason: 'dpop_nonce_unknown' })
    nonceOf(refused.answer)
  })

  it('[RFC9449-9-2] [T103] one that another server gave, or an API, is none of ours', async () => {
    const foreign = createDpopNonces(new Uint8Array(32).fill(7), nodePrimitives)
    const others = [await foreign.issue(server.freeze())]
    const other = await start('required')
    try {
      others.push(nonceOf(await ask(other, proofFor(other, key))))
    } finally {
      await other.close()
    }
    for (const nonce of others)
      expect(await declined(server, ask(server, proofFor(server, key, { nonce })))).toMatchObject({
        ...needsNonce,
        reason: 'dpop_nonce_unknown',
      })
  })

  it('[RFC9449-4.3-11] the nonce says how old a proof is, and iat nothing', async () => {
    const nonce = await first()
    for (const iat of [0, 1_000_000_000, 9_000_000_000])
      expect((await ask(server, proofFor(server, key, { nonce }, { claims: { iat } }))).status).toBe(200)
    const asked = ask(server, proofFor(server, key, { nonce }, { claims: { iat: 'now' } }))
    expect(await declined(server, asked)).toMatchObject({ reason: 'dpop_claims_malformed' })
  })

  it('[RFC9449-11.1-2] [T100] a proof counts once as long as its nonce does, after a restart too', async () => {
    server.advance((10 - (server.freeze() % 10)) % 10)
    const used = proofFor(server, key, { nonce: await first() })
    expect((await ask(server, used)).status).toBe(200)
    server.advance(299)
    expect(await declined(server, ask(server, used))).toMatchObject({ reason: 'dpop_replayed' })
    await server.restart()
    server.advance(1)
    expect(await declined(server, ask(server, used))).toMatchObject({ reason: 'dpop_replayed' })
    server.advance(1)
    expect(await declined(server, ask(server, used))).toMatchObject({ reason: 'dpop_nonce_unknown' })
  })

  it('a nonce outlives a restart', async () => {
    const nonce = await first()
    await server.restart()
    expect((await ask(server, proofFor(server, key, { nonce }))).status).toBe(200)
  })

  it('a client has its own rule, which goes first', async () => {
    const { status, headers } = await ask(server, proofFor(server, key), 'never')
    expect([status, headers['dpop-nonce']]).toEqual([200, undefined])
  })

  it('a request without a proof is none that needs a nonce', async () => {
    const { status, headers } = await server.token()
    expect([status, headers['dpop-nonce']]).toEqual([200, undefined])
  })

  it('a proof that is wrong otherwise is refused for that, and gets none', async () => {
    const asked = ask(server, proofFor(server, key, {}, { claims: { htm: 'GET' } }))
    const refused = await declined(server, asked)
    expect(refused).toMatchObject({ error: 'invalid_dpop_proof', reason: 'dpop_method_differs' })
    expect(refused.answer.headers['dpop-nonce']).toBeUndefined()
  })

  it('[RFC9449-8.2-1] at PAR, with a device, at UserInfo: given, taken, and answered with the next', async () => {
    const pushed = (nonce?: string) =>
      server.post(
        '/par',
        {
          client_id: 'native',
          redirect_uri: redirect,
          response_type: 'code',
          scope: 'openid',
          code_challenge: createVerifier().challenge,
          code_challenge_method: 'S256',
        },
        withProof(proofFor(server, key, { path: '/par', ...(nonce !== undefined && { nonce }) })),
      )
    const begun = (nonce?: string) => {
      const at = { path: '/device_authorization', ...(nonce !== undefined && { nonce }) }
      return server.post('/device_authorization', { client_id: 'device' }, withProof(proofFor(server, key, at)))
    }
    for (const [asked, status] of [
      [pushed, 201],
      [begun, 200],
    ] as const) {
      const refused = await declined(server, asked())
      expect(refused).toMatchObject({ ...needsNonce, reason: 'dpop_nonce_missing' })
      const answer = await asked(nonceOf(refused.answer))
      expect(answer.status).toBe(status)
      nonceOf(answer)
    }
    const nonce = await first()
    const { form } = allow(server, { client: 'native', scope: 'openid' })
    const sent = { ...withProof(proofFor(server, key, { nonce })), client: 'native' }
    const { access_token: accessToken } = (await redeem(server, form, sent)).json
    const asked = (given?: string) => {
      const at = { method: 'GET', path: '/userinfo', accessToken, ...(given !== undefined && { nonce: given }) }
      return userinfoWith(server, accessToken, proofFor(server, key, at))
    }
    const refused = await declined(server, asked())
    expect(refused).toMatchObject({ status: 401, error: 'use_dpop_nonce', reason: 'dpop_nonce_missing' })
    expect(refused.answer.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
    const answer = await asked(nonceOf(refused.answer))
    expect(answer.json.sub).toBe('user:alice')
    nonceOf(answer)
    // One origin has one set of nonces: that of the token endpoint is good here, too.
    expect((await asked(await first())).status).toBe(200)
  })

  it('a code, a refresh token and an assertion survive being told to use one', async () => {
    const { form } = allow(server, { client: 'native' })
    const refused = await declined(
      server,
      redeem(server, form, { ...withProof(proofFor(server, key)), client: 'native' }),
    )
    expect(refused).toMatchObject(needsNonce)
    const nonce = nonceOf(refused.answer)
    const { json } = await redeem(server, form, { ...withProof(proofFor(server, key, { nonce })), client: 'native' })
    const refresh = (proof: string) =>
      redeem(
        server,
        { grant_type: 'refresh_token', refresh_token: json.refresh_token },
        { ...withProof(proof), client: 'native' },
      )
    expect(await declined(server, refresh(proofFor(server, key)))).toMatchObject(needsNonce)
    expect((await refresh(proofFor(server, key, { nonce }))).status).toBe(200)
  })
})

describe('nonces are required of public clients', () => {
  let server: Harness
  beforeAll(async () => {
    server = await start('required-for-public')
  })
  afterAll(() => server.close())

  const begin = async (client: string, nonce?: string) => {
    const { form } = allow(server, { client, scope: 'openid' })
    const proof = proofFor(server, key, nonce === undefined ? {} : { nonce })
    return await redeem(server, form, { ...withProof(proof), client })
  }

  it('and of nobody else', async () => {
    for (const client of ['client', 'other']) {
      const secret = client === 'other' ? { client_secret: 'other-secret' } : {}
      const { status, headers } = await server.token({ client_id: client, ...secret }, withProof(proofFor(server, key)))
      expect([status, headers['dpop-nonce']]).toEqual([200, undefined])
    }
    expect(await declined(server, begin('native'))).toMatchObject({ status: 400, reason: 'dpop_nonce_missing' })
    expect((await begin('native-never')).status).toBe(200)
  })

  it('at UserInfo, it counts whose token it is', async () => {
    const proofOf = (accessToken: string) => proofFor(server, key, { method: 'GET', path: '/userinfo', accessToken })
    const confidential = (await begin('web')).json.access_token
    const taken = await userinfoWith(server, confidential, proofOf(confidential))
    expect([taken.status, taken.headers['dpop-nonce']]).toEqual([200, undefined])
    const nonce = nonceOf(await begin('native'))
    const open = (await begin('native', nonce)).json.access_token
    expect(await declined(server, userinfoWith(server, open, proofOf(open)))).toMatchObject({
      status: 401,
      reason: 'dpop_nonce_missing',
    })
  })
})

describe('nonces are asked of those whose clock is off', () => {
  let server: Harness
  beforeAll(async () => {
    server = await start('on-skew')
  })
  afterAll(() => server.close())

  const skewed = (shift: number, nonce?: string) =>
    ask(
      server,
      proofFor(server, key, nonce === undefined ? {} : { nonce }, { claims: { iat: server.freeze() + shift } }),
    )

  it.each([
    ['60 seconds behind', -60],
    ['10 seconds ahead', 10],
  ])('not of who is %s', async (_, shift) => {
    const { status, headers } = await skewed(shift)
    expect([status, headers['dpop-nonce']]).toEqual([200, undefined])
  })

  it.each([
    ['61 seconds behind', -61],
    ['11 seconds ahead', 11],
    ['an hour behind', -3600],
  ])('[T98] of who is %s, who then gets a token', async (_, shift) => {
    const refused = await declined(server, skewed(shift))
    expect(refused).toMatchObject({ status: 400, error: 'use_dpop_nonce', reason: 'dpop_skewed' })
    const answer = await skewed(shift, nonceOf(refused.answer))
    expect(answer.status).toBe(200)
    nonceOf(answer)
  })

  it('[RFC9449-8-2] and a nonce that is none of ours is none', async () => {
    expect(await declined(server, skewed(-61, 'A'.repeat(32)))).toMatchObject({ reason: 'dpop_nonce_unknown' })
    expect(await declined(server, skewed(0, 'A'.repeat(32)))).toMatchObject({ reason: 'dpop_nonce_unknown' })
  })
})

describe('no nonces', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => ({ ...settings, clients }))
  })
  afterAll(() => server.close())

  it('are ever sent, and theirs are ignored', async () => {
    const { status, headers } = await ask(server, proofFor(server, key, { nonce: 'theirs' }))
    expect([status, headers['dpop-nonce']]).toEqual([200, undefined])
    const stale = ask(server, proofFor(server, key, { nonce: 'theirs' }, { claims: { iat: server.freeze() - 61 } }))
    const refused = await declined(server, stale)
    expect([refused.reason, refused.answer.headers['dpop-nonce']]).toEqual(['dpop_stale', undefined])
  })

  it('but for the clients that have a rule of their own', async () => {
    const refused = await declined(server, ask(server, proofFor(server, key), 'always'))
    expect(refused).toMatchObject({ reason: 'dpop_nonce_missing' })
    expect((await ask(server, proofFor(server, key, { nonce: nonceOf(refused.answer) }), 'always')).status).toBe(200)
    const late = ask(server, proofFor(server, key, {}, { claims: { iat: server.freeze() - 61 } }), 'skewed')
    expect(await declined(server, late)).toMatchObject({ reason: 'dpop_skewed' })
  })
})
