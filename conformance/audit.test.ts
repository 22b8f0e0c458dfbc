import { hash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createTestProofKey } from '@holdfast/pop/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allow, introspected, redeem, startPeopleServer } from './authorized.ts'
import { openBrowser } from './browser.ts'
import { proofFor, withProof } from './dpop.ts'
import type { Harness } from './harness.ts'
import { authorizeFully, signIn, startVisits } from './visit.ts'

const initial = 'the-token-that-the-operator-gave'
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const address = '127.0.0.1'

let server: Harness
afterEach(() => server.close())

async function entries() {
  const { entries: all } = await server.server.administration.administer('audit-list', { limit: 1000 })
  return all.map(({ node: _, number: __, time: ___, mac: ____, ...entry }) => entry).slice(1)
}

/** What is recorded without anybody waiting for it. */
async function untilRecorded(count: number) {
  for (let tries = 0; tries < 100 && (await entries()).length < count; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  return await entries()
}

async function isSound(): Promise<boolean> {
  const { chains } = await server.server.administration.administer('audit-verify', { expected: [] })
  return chains.length > 0 && chains.every(({ fault }) => fault === undefined)
}

function run(statement: string): void {
  const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { timeout: 5000 })
  database.exec(statement)
  database.close()
}

describe('the audit log tells of people', () => {
  beforeEach(async () => {
    server = await startVisits((settings) => ({
      ...settings,
      clients: [
        ...(settings.clients ?? []),
        { client_id: 'tv', token_endpoint_auth_method: 'none', grant_types: [deviceGrant], scope: 'api1' },
      ],
    }))
  })
  const aboutAlice = { actor: expect.stringMatching(/^person:/), subject: expect.any(String), address }

  it('who sign in, consent and sign out', async () => {
    const browser = openBrowser(server)
    await authorizeFully(browser)
    await browser.submit(await browser.get('/sign-out'), { decision: 'sign-out' })
    expect(await entries()).toEqual([
      { event: 'signed_in', ...aboutAlice, client: 'web', details: { methods: 'pwd' } },
      { event: 'consent_given', ...aboutAlice, client: 'web', details: { scope: 'openid api1' } },
      { event: 'signed_out', ...aboutAlice },
    ])
    expect(await isSound()).toBe(true)
  })

  it('who fail to, once a minute; and that is not the name that they typed, which may be a password', async () => {
    for (let tries = 0; tries < 3; tries++)
      await signIn(openBrowser(server), {}, { username: 'correct horse', password: 'wrong' })
    expect(await untilRecorded(1)).toEqual([{ event: 'sign_in_failed', client: 'web', address }])
    await server.restart()
    const [, told] = await entries()
    expect(told).toEqual({ event: 'sign_in_failed', client: 'web', address, details: { count: 2 } })
    expect(JSON.stringify(await entries())).not.toContain('horse')
  })

  it('who let a device act for them, and not who decline', async () => {
    for (const decision of ['allow', 'deny']) {
      const begun = await server.post('/device_authorization', { client_id: 'tv', scope: 'api1' })
      const browser = openBrowser(server)
      const page = await browser.submit(await browser.get('/device'), { user_code: begun.json.user_code })
      await browser.submit(await browser.submit(page, { username: 'alice', password: 'alice' }), { decision })
    }
    expect((await entries()).map(({ event }) => event)).toEqual(['signed_in', 'device_approved', 'signed_in'])
    expect((await entries())[1]).toEqual({
      event: 'device_approved',
      ...aboutAlice,
      client: 'tv',
      details: { scope: 'api1' },
    })
  })

  it('or, where it cannot, nobody signs in', async () => {
    await authorizeFully(openBrowser(server))
    run("update audit_head set mac = 'x'")
    const browser = openBrowser(server)
    const page = await signIn(browser)
    expect(page.status).toBe(503)
    expect(browser.cookies.has('__Host-session')).toBe(false)
  })
})

describe('the audit log tells of tokens', () => {
  beforeEach(async () => {
    server = await startPeopleServer()
  })
  const revoke = (token: string, client = 'reference') =>
    server.post('/revoke', { client_id: client, client_secret: 'secret', token })
  const begin = async (client = 'web') => (await redeem(server, allow(server, { client }).form, { client })).json

  it('that are revoked, once, and by whom', async () => {
    const { json } = await server.token({ client_id: 'reference' })
    await revoke(json.access_token)
    await revoke(json.access_token)
    const jwt = (await server.token()).json.access_token
    await revoke(jwt, 'client')
    await revoke(jwt, 'client')
    const { refresh_token } = await begin()
    await revoke(refresh_token, 'web')
    await revoke(refresh_token, 'web')
    const jti = expect.any(String)
    expect(await entries()).toEqual([
      { event: 'token_revoked', actor: 'client:reference', client: 'reference', address, details: { jti } },
      { event: 'token_revoked', actor: 'client:client', client: 'client', address, details: { jti } },
      { event: 'authorization_revoked', actor: 'client:web', client: 'web', subject: 'user:alice', address },
    ])
  })

  it('and never of their issue', async () => {
    await server.token()
    await server.token({ client_id: 'reference' })
    await begin()
    await introspected(server, 'unknown')
    await server.token({ client_secret: 'wrong' })
    expect(await entries()).toEqual([])
  })

  it('that are not revoked where that cannot be recorded', async () => {
    const { json } = await server.token({ client_id: 'reference' })
    run("update audit_head set mac = 'x'")
    expect((await revoke(json.access_token)).status).toBe(503)
    expect(await introspected(server, json.access_token)).toMatchObject({ active: true })
  })

  it('of codes and refresh tokens that somebody replays: the end of the family, and the suspicion', async () => {
    const code = allow(server)
    const { json } = await redeem(server, code.form)
    server.advance(10)
    await redeem(server, code.form)
    await redeem(server, code.form)
    const first = allow(server, { client: 'native' })
    const { refresh_token } = (await redeem(server, first.form, { client: 'native' })).json
    const refresh = { grant_type: 'refresh_token', refresh_token }
    await redeem(server, refresh, { client: 'native' })
    server.advance(10)
    await redeem(server, refresh, { client: 'native' })
    expect(json.access_token).toBeDefined()
    const ended = { event: 'authorization_revoked', actor: 'server', subject: 'user:alice' }
    const suspected = { event: 'attack_suspected', address }
    expect(await untilRecorded(4)).toEqual([
      { ...ended, client: 'web', reason: 'code_replayed' },
      { ...suspected, client: 'web', reason: 'code_replayed' },
      { ...ended, client: 'native', reason: 'refresh_token_replayed' },
      { ...suspected, client: 'native', reason: 'refresh_token_replayed' },
    ])
  })

  it('of proofs that somebody replays, who is refused whether that can be recorded or not', async () => {
    const key = createTestProofKey()
    const sent = () => withProof(proofFor(server, key))
    const same = sent()
    expect((await server.token({}, same)).status).toBe(200)
    expect((await server.token({}, same)).json.error).toBe('invalid_dpop_proof')
    expect(await untilRecorded(1)).toEqual([
      { event: 'attack_suspected', client: 'client', address, reason: 'dpop_replayed' },
    ])
    run("update audit_head set mac = 'x'")
    server.advance(60)
    const other = sent()
    expect((await server.token({}, other)).status).toBe(200)
    expect((await server.token({}, other)).json.error).toBe('invalid_dpop_proof')
    expect((await server.token()).status).toBe(200)
  })

  it('of who guesses until nothing is answered any more', async () => {
    for (let tries = 0; tries < 25; tries++) await server.token({ client_secret: 'wrong' })
    expect(await untilRecorded(1)).toEqual([
      { event: 'attack_suspected', client: 'client', address, reason: 'client_attempts_exhausted' },
    ])
  })
})

describe('the audit log tells of clients that register themselves', () => {
  beforeEach(async () => {
    server = await startPeopleServer((settings) => ({
      ...settings,
      registration: { initialAccessTokens: [`sha256:${hash('sha256', initial, 'base64url')}`], scopes: ['api1'] },
    }))
  })
  const asked = { grant_types: ['client_credentials'], scope: 'api1' }
  const send = (method: string, token: string, body?: object, query = '') =>
    server.send({
      on: 'public',
      method,
      path: `/register${query}`,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })

  it('by which initial access token, what they change, and that they leave', async () => {
    const { json } = await send('POST', initial, asked)
    const { client_id, registration_access_token: token } = json
    const query = `?client_id=${client_id}`
    await send('PUT', token, { ...asked, client_id, client_name: 'Notes' }, query)
    await send('DELETE', token, undefined, query)
    const common = { client: client_id, address }
    const begins = `sha256:${hash('sha256', initial, 'base64url').slice(0, 8)}`
    expect(await entries()).toEqual([
      {
        event: 'client_added',
        ...common,
        details: expect.objectContaining({ initial_access_token: begins, client_secret_hash: 'set', scope: 'api1' }),
      },
      { event: 'client_changed', actor: `client:${client_id}`, ...common, details: { client_name: 'Notes' } },
      { event: 'client_removed', actor: `client:${client_id}`, ...common },
    ])
    const log = JSON.stringify(await entries())
    for (const secret of [initial, token, json.client_secret, hash('sha256', token, 'base64url')])
      expect(log).not.toContain(secret)
  })

  it('or, where it cannot, nobody registers', async () => {
    run("update audit_head set mac = 'x'")
    expect((await send('POST', initial, asked)).status).toBe(503)
    run('delete from audit_head; delete from audit')
    expect((await send('POST', initial, asked)).status).toBe(201)
  })
})
