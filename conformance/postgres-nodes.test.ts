import { generateKeyPairSync } from 'node:crypto'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { type Answer, api, assertion, assertionType, basic, claimsOf, type Form, type Harness } from './harness.ts'
import { type Nodes, startNodes } from './nodes.ts'
import { requirePrograms } from './requires.ts'
import { authorizeFully, redirect, validRequest, verifier, visitClients } from './visit.ts'

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })

requirePrograms('postgres')('two nodes on one PostgreSQL database', () => {
  let nodes: Nodes
  beforeAll(async () => {
    nodes = await startNodes((settings) => ({
      ...settings,
      apis: [...settings.apis, { identifier: 'https://other-api.test', scopes: ['api2'] }],
      people: { directory: [{ username: 'alice', password: 'alice', subject: 'user:alice' }] },
      clients: [
        ...(settings.clients ?? []),
        ...visitClients.filter(({ client_id }) => client_id === 'web'),
        {
          client_id: 'rotating',
          token_endpoint_auth_method: 'none',
          grant_types: ['authorization_code', 'refresh_token'],
          redirect_uris: [redirect],
          scope: 'openid offline_access api1',
        },
        {
          client_id: 'assertion',
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [key.publicKey.export({ format: 'jwk' }) as { kty: string }] },
          scope: 'api1',
        },
      ],
    }))
  })
  afterAll(() => nodes?.close())

  /** Sends a request 64 times at once, to either node by turns. */
  function manyTimes(ask: (node: Harness) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(Array.from({ length: 64 }, (_, index) => ask(index % 2 ? nodes.one : nodes.other)))
  }

  function succeeded(answers: readonly Answer[]): number {
    return answers.filter(({ status }) => status === 200 || status === 201).length
  }

  async function codeFor(client_id: string, scope: string): Promise<string> {
    const page = await authorizeFully(openBrowser(nodes.one), { client_id, scope, nonce: undefined })
    return page.answer.code ?? ''
  }

  const redemption = { grant_type: 'authorization_code', redirect_uri: redirect, code_verifier: verifier } as const

  const payload = Buffer.from(JSON.stringify({ iss: '\0', sub: '\0' })).toString('base64url')
  it.each<[string, Form, Readonly<Record<string, string>>]>([
    ['Basic', { client_id: undefined, client_secret: undefined }, basic('\0', 'secret')],
    [
      'an assertion',
      {
        client_id: undefined,
        client_secret: undefined,
        client_assertion_type: assertionType,
        client_assertion: `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${payload}.c2ln`,
      },
      {},
    ],
  ])('know no client of a name that PostgreSQL cannot hold, by %s', async (_, form, headers) => {
    const { status, json } = await nodes.one.token(form, { headers })
    expect([status, json.error]).toEqual([401, 'invalid_client'])
  })

  it('are one issuer: a token of one is known to the other', async () => {
    const token = (await nodes.one.token({ client_id: 'reference' })).json.access_token
    const { json } = await nodes.other.post('/introspect', { token, client_id: 'api1', client_secret: 'api1-secret' })
    expect(json).toMatchObject({ active: true, iss: nodes.one.issuer, aud: api })
    await nodes.other.post('/revoke', { token, client_id: 'reference', client_secret: 'secret' })
    const after = await nodes.one.post('/introspect', { token, client_id: 'api1', client_secret: 'api1-secret' })
    expect(after.json).toEqual({ active: false })
  })

  it('[F14] [T100] take a proof once', async () => {
    const proof = signProof(createTestProofKey(), {
      method: 'POST',
      url: `${nodes.one.issuer}/token`,
      now: Math.floor(Date.now() / 1000),
    })
    const answers = await manyTimes((node) => node.token({}, { headers: { dpop: proof } }))
    expect(succeeded(answers)).toBe(1)
    expect(new Set(answers.map(({ json }) => json.error))).toEqual(new Set([undefined, 'invalid_dpop_proof']))
  })

  it('[F14] take an assertion once', async () => {
    const pem = key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const once = assertion(pem, 'assertion', nodes.one.issuer)
    const form = { client_id: 'assertion', client_secret: undefined, client_assertion_type: assertionType }
    expect(succeeded(await manyTimes((node) => node.token({ ...form, client_assertion: once })))).toBe(1)
  })

  it('[F15] take a code once, and a replay at the other node ends what it gave', async () => {
    const code = await codeFor('web', 'openid api1')
    const form = { ...redemption, client_id: 'web', client_secret: 'secret', code }
    const answers = await manyTimes((node) => node.post('/token', form))
    expect(succeeded(answers)).toBe(1)
    const token = answers.find(({ status }) => status === 200)?.json.access_token
    nodes.other.advance(3)
    expect((await nodes.other.post('/token', form)).json.error).toBe('invalid_grant')
    nodes.other.advance(-3)
    const asked = await nodes.one.post('/introspect', { token, client_id: 'api1', client_secret: 'api1-secret' })
    expect(asked.json).toEqual({ active: false })
  })

  it('[F15] replace a refresh token once', async () => {
    const code = await codeFor('rotating', 'openid offline_access api1')
    const first = await nodes.one.post('/token', { ...redemption, client_id: 'rotating', code })
    const form = { grant_type: 'refresh_token', client_id: 'rotating', refresh_token: first.json.refresh_token }
    const answers = await manyTimes((node) => node.post('/token', form))
    expect(succeeded(answers)).toBe(1)
    const [next] = answers.flatMap(({ json }) => json.refresh_token ?? [])
    expect((await nodes.other.post('/token', { ...form, refresh_token: next })).status).toBe(200)
  })

  it('[F15] take a pushed request once', async () => {
    const pushed = await nodes.one.post('/par', { ...validRequest, client_secret: 'secret' })
    const visits = await Promise.all(
      [nodes.one, nodes.other].map(async (node) => {
        const browser = openBrowser(node)
        const page = await browser.authorize({ client_id: 'web', request_uri: pushed.json.request_uri })
        return { browser, page: await browser.submit(page, { username: 'alice', password: 'alice' }) }
      }),
    )
    const ends = await Promise.all(
      visits.map(({ browser, page }) =>
        page.form.action === '/consent' ? browser.submit(page, { decision: 'allow' }) : page,
      ),
    )
    expect(ends.filter(({ answer }) => answer.code !== undefined)).toHaveLength(1)
  })

  it('let a person go on at the other node', async () => {
    const at = openBrowser(nodes.one)
    await authorizeFully(at)
    const code = await codeFor('web', 'openid')
    const form = { ...redemption, client_id: 'web', client_secret: 'secret', code }
    const { json } = await nodes.other.post('/token', form)
    expect(claimsOf(json.id_token).sub).toBe('user:alice')
  })

  it('know a client that was added at one, or changed, at the other within a second', async () => {
    const ask = () => nodes.other.token({ client_id: 'late', client_secret: 'late-secret' })
    expect((await ask()).status).toBe(401)
    const { administration } = nodes.one.server
    await administration.administer('client-add', {
      client: { client_id: 'late', scope: 'api1' },
      secret: { chosen: 'late-secret' },
    } as never)
    await expect.poll(async () => (await ask()).status, { timeout: 1000, interval: 50 }).toBe(200)
    await administration.administer('client-remove', { clientId: 'late' } as never)
    await expect.poll(async () => (await ask()).status, { timeout: 1000, interval: 50 }).toBe(401)
  })

  it('sign with the same keys, also after one of them has rotated them', async () => {
    const kid = async (node: Harness) =>
      JSON.parse(Buffer.from((await node.token()).json.access_token.split('.')[0], 'base64url').toString()).kid
    const before = await kid(nodes.one)
    expect(await kid(nodes.other)).toBe(before)
    await nodes.one.server.administration.administer('key-rotate', {} as never)
    const after = await kid(nodes.one)
    expect(after).not.toBe(before)
    await expect.poll(() => kid(nodes.other), { timeout: 1000, interval: 50 }).toBe(after)
  })

  it('[F09] answer 503 while the database is away, go on after, and lose nothing that was acknowledged', async () => {
    const { access_token: token } = (await nodes.one.token({ client_id: 'reference' })).json
    await nodes.postgres.kill()
    const [reference, jwt] = await Promise.all([nodes.one.token({ client_id: 'reference' }), nodes.one.token()])
    expect(reference.status).toBe(503)
    expect(reference.headers['retry-after']).toBeDefined()
    expect(jwt.status).toBe(200)
    await nodes.postgres.restart()
    const asked = await nodes.other.post('/introspect', { token, client_id: 'api1', client_secret: 'api1-secret' })
    expect(asked.json).toMatchObject({ active: true })
  })

  it('[F11] answer 503 in time while the database hangs, and go on when it does', async () => {
    await nodes.one.token({ client_id: 'reference' })
    nodes.postgres.signal('SIGSTOP')
    const began = performance.now()
    const answers = await Promise.all(Array.from({ length: 30 }, () => nodes.one.token({ client_id: 'reference' })))
    expect(performance.now() - began).toBeLessThan(6000)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    nodes.postgres.signal('SIGCONT')
    await expect
      .poll(async () => (await nodes.one.token({ client_id: 'reference' })).status, { timeout: 2000, interval: 50 })
      .toBe(200)
  })
})
