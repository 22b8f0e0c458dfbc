import { generateKeyPairSync, hash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertion, assertionType, basic, freePort, type Harness, startServer } from './harness.ts'
import { talk, tokenRequest } from './http-wire.ts'

const secret = 'canary-secret-7f3a'
const wrong = 'canary-wrong-91bc'
const generated = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = generated.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

describe('decisions 8.1 what nobody may find', () => {
  let server: Harness
  /** By name: what must be nowhere. */
  const canaries: Record<string, string> = { secret, wrong, basic: Buffer.from(`client:${secret}`).toString('base64') }
  /** What must be in the database: that the search finds what is there. */
  let handleHash = ''
  let figures = ''

  beforeAll(async () => {
    const port = await freePort()
    const jwks = { keys: [generated.publicKey.export({ format: 'jwk' }) as { kty: string }] }
    server = await startServer(({ clients = [], ...settings }) => ({
      ...settings,
      operations: { port },
      clients: [
        ...clients.map((each) => ('client_secret' in each ? { ...each, client_secret: secret } : each)),
        { client_id: 'signer', token_endpoint_auth_method: 'private_key_jwt', jwks, scope: 'api1' },
      ],
    }))
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    canaries.certificateKey = certificate.key.split('\n')[1] ?? ''
    const valid = { client_secret: secret }
    canaries.jwt = (await server.token(valid)).json.access_token
    const handle: string = (await server.token({ client_id: 'reference', ...valid })).json.access_token
    canaries.handle = handle
    handleHash = hash('sha256', handle, 'base64url')
    canaries.bound = (await server.token(valid, { certificate })).json.access_token
    const now = Math.floor(Date.now() / 1000)
    canaries.proof = signProof(createTestProofKey(), { method: 'POST', url: `${server.issuer}/token`, now })
    for (const _ of [1, 2]) await server.token(valid, { headers: { dpop: canaries.proof } })
    canaries.assertion = assertion(key, 'signer', server.issuer)
    const { client_secret } = await added(server)
    canaries.stored = client_secret

    const signed = { client_id: undefined, client_secret: undefined, client_assertion_type: assertionType }
    for (const form of [
      { ...signed, client_assertion: canaries.assertion },
      { ...signed, client_assertion: canaries.assertion },
      { ...signed, client_assertion: `${canaries.assertion}x` },
      { client_secret: wrong },
      { ...valid, scope: canaries.jwt },
      { ...valid, grant_type: canaries.handle },
      { ...valid, resource: canaries.handle },
      { client_id: 'added', client_secret: canaries.stored },
    ])
      await server.token(form)
    for (const path of ['/introspect', '/revoke'])
      for (const token of [canaries.jwt, canaries.handle, canaries.bound, `${canaries.jwt}x`])
        await server.post(path, { client_id: 'client', client_secret: secret, token })
    await server.post('/token', {}, { headers: basic('client', wrong) })
    await server.post('/token', {}, { headers: { authorization: `Bearer ${canaries.jwt}` } })
    await server.post(`/token?client_secret=${secret}`, {})
    await server.post(`/${canaries.handle}`, {})
    for (const request of [
      tokenRequest({ headers: [`authorization: Bearer ${canaries.jwt}`, 'x : y'] }),
      tokenRequest({ headers: [`x: ${canaries.jwt}`.padEnd(20_000, '.')] }),
      tokenRequest({ without: ['host'], headers: [`host: ${secret}@evil.test`] }),
      tokenRequest({ target: `//${canaries.handle}` }),
      tokenRequest({ body: `client_secret=${secret}&x=%zz` }),
      tokenRequest({ headers: ['transfer-encoding: chunked'], body: `client_secret=${secret}` }),
      `${secret} ${canaries.handle}\r\n\r\n`,
    ])
      await talk(server, request)
    figures = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  })
  afterAll(() => server.close())

  it('[RFC6749-10.3-1, RFC6749-10.4-2] is in no report', () => {
    expect(server.reports.length).toBeGreaterThan(15)
    const told = textOf(server.reports)
    expect(told).toContain('client_secret_wrong')
    for (const [name, canary] of Object.entries(canaries)) expect([name, told.includes(canary)]).toEqual([name, false])
  })

  it('[RFC6749-10.3-1, RFC6749-10.4-2] is in no line of the log about a request that was answered', () => {
    const told = textOf(server.answered)
    expect(told).toContain('client_credentials')
    for (const [name, canary] of Object.entries(canaries)) expect([name, told.includes(canary)]).toEqual([name, false])
  })

  it('is in no figure, and neither is who asked', () => {
    expect(figures).toContain('reason="client_secret_wrong"')
    for (const [name, canary] of Object.entries({ ...canaries, signer: 'signer', address: '127.0.0.1' }))
      expect([name, figures.includes(canary)]).toEqual([name, false])
  })

  it('[RFC6749-10.3-1, RFC6749-10.4-2] is in no file that the server wrote', () => {
    const written = readdirSync(server.directory)
      .map((name) => join(server.directory, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path, 'latin1'))
      .join('\n')
    expect(written).toContain(handleHash)
    for (const [name, canary] of Object.entries(canaries))
      expect([name, written.includes(canary)]).toEqual([name, false])
    expect(written).not.toMatch(/"(d|p|q|dp|dq|qi|priv)":|BEGIN [A-Z ]*PRIVATE KEY/)
  })
})

async function added({ server }: Harness): Promise<{ readonly client_secret: string }> {
  const client = { client_id: 'added', scope: 'api1' }
  const answer: unknown = await server.administration.administer('client-add', { client, secret: 'generate' })
  const found = /"(?:client_secret|secret)":"([A-Za-z0-9_-]{43})"/.exec(JSON.stringify(answer))?.[1]
  if (found === undefined) throw new Error('no secret was shown')
  return { client_secret: found }
}

/** Everything that hangs on a value, hidden members and bytes too. */
function textOf(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (seen.has(value)) return ''
  seen.add(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  return Reflect.ownKeys(value)
    .map((name) => `${String(name)}=${textOf(Reflect.get(value, name), seen)}`)
    .join('\n')
}
