import { createHash } from 'node:crypto'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, claimsOf, type Harness, startServer } from './harness.ts'
import {
  approveDevice,
  begin,
  createOpenidClients,
  type OpenidClients,
  refreshTokenOf,
  personScope as scope,
  signIn,
} from './openid-flow.ts'

const callback = 'https://app.test/callback'
const loopback = 'http://127.0.0.1/callback'
const initial = 'the-token-that-the-operator-gave'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
let clients: OpenidClients

beforeAll(async () => {
  certificate = await createClientCertificate({ name: 'on the fly', keyType: 'P-256' })
  renewed = await createClientCertificate({ name: 'on the fly, once more', key: certificate.key })
  server = await startServer((settings) => ({
    ...settings,
    apis: [{ identifier: api, scopes: ['api1'] }],
    registration: { initialAccessTokens: [hashOf(initial)], scopes: ['api1'] },
    people: { directory: [{ username: 'alice', password: 'alice', name: 'Alice Example', subject: 'user:alice' }] },
    clients: [
      {
        client_id: 'web',
        client_secret: 'secret',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [callback],
        scope,
      },
      {
        client_id: 'native',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: [loopback],
        scope,
      },
    ],
  }))
  clients = createOpenidClients(server)
})
afterAll(async () => {
  await clients.close()
  await server.close()
})

describe('openid-client, unmodified, acts for a person', () => {
  it('by code with PKCE and a secret, without certificate', async () => {
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const tokens = await signIn(server, config, { redirectUri: callback })
    expect(tokens.claims()).toMatchObject({ sub: 'user:alice', aud: 'web', nonce: expect.any(String) })
    expect(claimsOf(tokens.access_token).cnf).toBeUndefined()
    expect(await openid.fetchUserInfo(config, tokens.access_token, 'user:alice')).toEqual({
      sub: 'user:alice',
      name: 'Alice Example',
    })
    const refreshed = await openid.refreshTokenGrant(config, refreshTokenOf(tokens))
    expect(refreshed.claims()?.sub).toBe('user:alice')
  })

  it('by code through PAR', async () => {
    const config = await clients.discover('web', openid.ClientSecretPost('secret'))
    const tokens = await signIn(server, config, { redirectUri: callback, build: openid.buildAuthorizationUrlWithPAR })
    expect(tokens.claims()?.sub).toBe('user:alice')
  })

  it.each(['query', 'fragment'])('by code with response_mode %s', async (response_mode) => {
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    expect((await signIn(server, config, { redirectUri: callback, parameters: { response_mode } })).claims()?.sub).toBe(
      'user:alice',
    )
  })

  it('by code with a secret and a certificate: the token is bound, UserInfo honours it', async () => {
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'), certificate)
    const tokens = await signIn(server, config, { redirectUri: callback })
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect((await openid.fetchUserInfo(config, tokens.access_token, 'user:alice')).name).toBe('Alice Example')
    const without = await clients.discover('web', openid.ClientSecretBasic('secret'))
    await expect(openid.fetchUserInfo(without, tokens.access_token, 'user:alice')).rejects.toMatchObject({
      status: 401,
    })
  })

  it('as a public client through PAR with a certificate, and goes on with a renewed one of the same key', async () => {
    const config = await clients.discover('native', openid.None(), certificate)
    const tokens = await signIn(server, config, {
      redirectUri: 'http://127.0.0.1:51004/callback',
      build: openid.buildAuthorizationUrlWithPAR,
    })
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect(renewed.thumbprint).not.toBe(certificate.thumbprint)
    const later = await clients.discover('native', openid.None(), renewed)
    const refreshed = await openid.refreshTokenGrant(later, refreshTokenOf(tokens))
    expect(claimsOf(refreshed.access_token).cnf).toEqual({ 'x5t#S256': renewed.thumbprint })
  })

  it('as a public client, and is refused the refresh without the certificate, and with another', async () => {
    const config = await clients.discover('native', openid.None(), certificate)
    const tokens = await signIn(server, config, { redirectUri: loopback, build: openid.buildAuthorizationUrlWithPAR })
    const other = await createClientCertificate({ name: 'another', keyType: 'P-256' })
    for (const shown of [undefined, other]) {
      const thief = await clients.discover('native', openid.None(), shown)
      await expect(openid.refreshTokenGrant(thief, refreshTokenOf(tokens))).rejects.toMatchObject({
        error: 'invalid_grant',
      })
    }
    expect((await openid.refreshTokenGrant(config, refreshTokenOf(tokens))).access_token).toBeDefined()
  })

  it('by device code, with a certificate', async () => {
    const config = await clients.discover('native', openid.None(), certificate)
    const started = await openid.initiateDeviceAuthorization(config, { scope })
    const [tokens, page] = await Promise.all([
      openid.pollDeviceAuthorizationGrant(config, started),
      approveDevice(server, started.verification_uri_complete),
    ])
    expect(page.text).toContain('Device connected')
    expect(tokens.claims()?.sub).toBe('user:alice')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('and is told that the person declined', async () => {
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const asked = await begin(server, config, { redirectUri: callback, parameters: { prompt: 'consent' } })
    const page = await asked.browser.submit(await asked.signIn(), { decision: 'deny' })
    await expect(asked.finish(page)).rejects.toMatchObject({ error: 'access_denied' })
  })

  it('as a client that registers itself', async () => {
    const config = await openid.dynamicClientRegistration(
      new URL(server.issuer),
      { redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], client_name: 'Notes' },
      undefined,
      { initialAccessToken: initial, [openid.customFetch]: clients.fetchWith() },
    )
    const { client_id, client_secret = '' } = config.clientMetadata()
    const basic = await clients.discover(client_id, openid.ClientSecretBasic(String(client_secret)))
    expect((await signIn(server, basic, { redirectUri: callback })).claims()?.aud).toBe(client_id)
  })

  it('as a public client that registers itself for bound tokens', async () => {
    const config = await openid.dynamicClientRegistration(
      new URL(server.issuer),
      {
        redirect_uris: [loopback],
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        tls_client_certificate_bound_access_tokens: true,
        use_mtls_endpoint_aliases: true,
      },
      openid.None(),
      { initialAccessToken: initial, [openid.customFetch]: clients.fetchWith(certificate) },
    )
    const { client_id } = config.clientMetadata()
    const bound = await clients.discover(client_id, openid.None(), certificate)
    const tokens = await signIn(server, bound, { redirectUri: loopback, build: openid.buildAuthorizationUrlWithPAR })
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('and is refused registration without the token of the operator', async () => {
    const registering = openid.dynamicClientRegistration(
      new URL(server.issuer),
      { redirect_uris: [callback] },
      undefined,
      {
        [openid.customFetch]: clients.fetchWith(),
      },
    )
    await expect(registering).rejects.toMatchObject({ status: 401 })
  })
})

function hashOf(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('base64url')}`
}
