import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { allow, redeem, startPeopleServer } from './authorized.ts'
import { freePort, type Harness, startServer } from './harness.ts'
import { talk, tokenRequest } from './http-wire.ts'

const client = { client_id: 'client', client_secret: 'secret' }
const time = expect.any(Number)
const from = { address: '127.0.0.1', ms: time }

describe('the line of the log for each request', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server?.close())

  async function lineOf(asked: Promise<unknown>) {
    const before = [server.answered.length, server.reports.length] as const
    await asked
    const lines = [...server.answered.slice(before[0]), ...server.reports.slice(before[1])]
    expect(lines).toHaveLength(1)
    return lines[0]
  }

  it('says which token was issued, to whom and for what', async () => {
    const now = Math.floor(Date.now() / 1000)
    const dpop = signProof(createTestProofKey(), { method: 'POST', url: `${server.issuer}/token`, now })
    expect(await lineOf(server.token({ client_id: 'reference' }, { headers: { dpop } }))).toEqual({
      level: 'info',
      event: 'answered',
      client: 'reference',
      request: {
        ...{ method: 'POST', path: '/token', status: 200, ...from },
        ...{ grant: 'client_credentials', binding: 'dpop', format: 'reference' },
      },
    })
  })

  it.each([
    ['of a token', true],
    ['of nothing', false],
  ])('says who asked about a token, and whether it is active: %s', async (_, active) => {
    const token = active ? (await server.token()).json.access_token : 'nothing'
    const asked = server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })
    expect(await lineOf(asked)).toMatchObject({ event: 'answered', client: 'api1', request: { active } })
  })

  it('says what was declined, and why, in the same line', async () => {
    expect(await lineOf(server.token({ client_secret: 'wrong' }))).toEqual({
      level: 'info',
      event: 'refused',
      client: 'client',
      reason: 'client_secret_wrong',
      rule: expect.any(String),
      request: { method: 'POST', path: '/token', status: 401, ...from },
    })
  })

  it('says who asked for something that is neither token nor about one', async () => {
    const { access_token } = (await server.token()).json
    expect(await lineOf(server.post('/revoke', { ...client, token: access_token }))).toEqual({
      level: 'info',
      event: 'answered',
      client: 'client',
      request: { method: 'POST', path: '/revoke', status: 200, ...from },
    })
  })

  it('says with which token UserInfo was asked', async () => {
    const people = await startPeopleServer()
    onTestFinished(() => people.close())
    const { form } = allow(people, { client: 'web', scope: 'openid' })
    const { access_token } = (await redeem(people, form)).json
    expect(people.answered.at(-1)?.request).toMatchObject({ grant: 'authorization_code', binding: 'none' })
    const headers = { authorization: `Bearer ${access_token}` }
    await people.send({ on: 'public', method: 'GET', path: '/userinfo', headers })
    const line = people.answered.at(-1)
    expect(line).toMatchObject({ client: 'web', request: { path: '/userinfo', binding: 'none', format: 'jwt' } })
    expect(line?.request).not.toHaveProperty('grant')
  })

  it('names no client where nobody does', async () => {
    const asked = server.send({ on: 'mutualTls', method: 'GET', path: '/jwks', headers: {} })
    expect(await lineOf(asked)).not.toHaveProperty('client')
  })

  it.each([
    ['an address that we do not know', 'GET', '/eyJhbGciOi'],
    ['a method that we do not know', 'PROPFIND', '/token'],
  ])('does not repeat %s', async (_, method, path) => {
    const line = await lineOf(server.send({ on: 'public', method, path, headers: {} }))
    expect(line?.request).toMatchObject(method === 'GET' ? { path: 'other' } : { method: 'other' })
  })

  it('does not repeat a query', async () => {
    const line = await lineOf(server.send({ on: 'public', method: 'GET', path: '/token?canary', headers: {} }))
    expect(line?.request?.path).toBe('/token')
    expect(JSON.stringify(line)).not.toContain('canary')
  })

  it('is there for what the parser declines', async () => {
    const line = await lineOf(talk(server, tokenRequest({ headers: ['x : y'] })))
    expect(line).toMatchObject({ reason: 'request_malformed', request: { path: 'other', status: 400, ...from } })
  })
})

describe('log.requests: refused', () => {
  it('leaves the lines of all other requests out, and figures count them all the same', async () => {
    const port = await freePort()
    const log = { requests: 'refused' } as const
    const server = await startServer((settings) => ({ ...settings, log, operations: { port } }))
    onTestFinished(() => server.close())
    await server.token()
    await server.token({ client_secret: 'wrong' })
    expect(server.answered).toEqual([])
    expect(server.reports.filter(({ event }) => event === 'refused')).toHaveLength(1)
    const figures = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(figures).toContain('holdfast_request_seconds_count{path="/token",method="POST",status="200"} 1')
  })
})
