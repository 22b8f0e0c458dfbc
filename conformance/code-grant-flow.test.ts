import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callback, introspected, isUnused, loopback, redeem, startPeopleServer } from './authorized.ts'
import { createVerifier, openBrowser } from './browser.ts'
import { claimsOf, declined, type Harness, type Sent } from './harness.ts'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
  renewed = await createClientCertificate({ name: 'phone', keyType: 'P-256', key: certificate.key })
  other = await createClientCertificate({ name: 'thief', keyType: 'P-256' })
})
afterAll(() => server.close())

interface Begun {
  readonly code: string
  readonly form: Readonly<Record<string, string>>
}

/** Pushes a request, signs alice in, and lets her allow it. */
async function authorize(client: string, sent: Partial<Sent> = {}): Promise<Begun> {
  const { verifier, challenge } = createVerifier()
  const redirect_uri = client.startsWith('native') ? loopback : callback
  const request = {
    client_id: client,
    ...(client.startsWith('native') ? {} : { client_secret: 'secret' }),
    response_type: 'code',
    redirect_uri,
    scope: 'openid profile api1',
    nonce: 'n-0S6',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }
  const { request_uri } = (await server.post('/par', request, sent)).json
  const browser = openBrowser(server)
  const page = await browser.authorize({ client_id: client, request_uri })
  const consent = await browser.submit(page, { username: 'alice', password: 'alice' })
  const { code = '' } = (await browser.submit(consent, { decision: 'allow' })).answer
  return { code, form: { grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier } }
}

describe('from the pushed request to the refreshed token', () => {
  it('binds all that a public client gets to the certificate that it came with', async () => {
    const client = 'native'
    const { form } = await authorize(client, { certificate })
    const { json } = await redeem(server, form, { client, certificate })
    expect(claimsOf(json.access_token)).toMatchObject({
      sub: 'user:alice',
      cnf: { 'x5t#S256': certificate.thumbprint },
    })
    expect(claimsOf(json.id_token)).toMatchObject({ sub: 'user:alice', nonce: 'n-0S6' })
    const { access_token, refresh_token } = json
    const bearer = { headers: { authorization: `Bearer ${access_token}` } }
    const asked = { method: 'GET', path: '/userinfo', ...bearer } as const
    expect((await server.send({ on: 'mutualTls', certificate, ...asked })).json).toEqual({
      sub: 'user:alice',
      name: 'Alice Example',
    })
    expect((await server.send({ on: 'public', ...asked })).status).toBe(401)

    const refresh = { grant_type: 'refresh_token', refresh_token }
    const later = (await redeem(server, refresh, { client, certificate: renewed })).json.access_token
    expect(claimsOf(later).cnf).toEqual({ 'x5t#S256': renewed.thumbprint })
    expect(await introspected(server, later)).toMatchObject({ active: true })
    const stolen = redeem(server, refresh, { client, certificate: other })
    expect(await declined(server, stolen)).toMatchObject({
      error: 'invalid_grant',
      reason: 'refresh_token_key_not_shown',
    })
  })

  it('[incident 55] keeps the code when somebody else brings it, or brings it without the key', async () => {
    const client = 'native'
    const begun = await authorize(client, { certificate })
    for (const sent of [{ client }, { client, certificate: other }])
      expect(await declined(server, redeem(server, begun.form, sent))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        reason: 'code_key_not_shown',
      })
    expect(isUnused(server, begun)).toBe(true)
    expect((await redeem(server, begun.form, { client, certificate: renewed })).status).toBe(200)
  })

  it('[incident 17] refuses a bound client that comes back without its certificate', async () => {
    for (const client of ['native-bound', 'web-bound']) {
      const begun = await authorize(client, client === 'web-bound' ? {} : { certificate })
      expect(await declined(server, redeem(server, begun.form, { client }))).toMatchObject({
        error: 'invalid_request',
        reason: 'certificate_required',
      })
      expect(isUnused(server, begun)).toBe(true)
    }
  })

  it('binds no code of a client that authenticates: it may come with a new certificate', async () => {
    const { form } = await authorize('web', { certificate })
    const answer = await redeem(server, form, { certificate: other })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': other.thumbprint })
  })
})
