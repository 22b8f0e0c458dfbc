import { createHash } from 'node:crypto'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import * as openid from 'openid-client'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, openBrowser, type Page } from './browser.ts'
import { api, claimsOf, type Harness, startServer } from './harness.ts'

const callback = 'https://app.test/callback'
const loopback = 'http://127.0.0.1/callback'
const initial = 'the-token-that-the-operator-gave'
const scope = 'openid profile offline_access api1'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
const agents: Agent[] = []

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
})
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()))
  await server.close()
})

describe('openid-client, unmodified, acts for a person', () => {
  it('by code with PKCE and a secret, without certificate', async () => {
    const config = await discover('web', openid.ClientSecretBasic('secret'))
    const tokens = await signIn(config, callback)
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
    const config = await discover('web', openid.ClientSecretPost('secret'))
    const tokens = await signIn(config, callback, openid.buildAuthorizationUrlWithPAR)
    expect(tokens.claims()?.sub).toBe('user:alice')
  })

  it.each(['query', 'fragment'])('by code with response_mode %s', async (response_mode) => {
    const config = await discover('web', openid.ClientSecretBasic('secret'))
    expect((await signIn(config, callback, openid.buildAuthorizationUrl, { response_mode })).claims()?.sub).toBe(
      'user:alice',
    )
  })

  it('by code with a secret and a certificate: the token is bound, UserInfo honours it', async () => {
    const config = await discover('web', openid.ClientSecretBasic('secret'), certificate)
    const tokens = await signIn(config, callback)
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect((await openid.fetchUserInfo(config, tokens.access_token, 'user:alice')).name).toBe('Alice Example')
    const without = await discover('web', openid.ClientSecretBasic('secret'))
    await expect(openid.fetchUserInfo(without, tokens.access_token, 'user:alice')).rejects.toMatchObject({
      status: 401,
    })
  })

  it('as a public client through PAR with a certificate, and goes on with a renewed one of the same key', async () => {
    const config = await discover('native', openid.None(), certificate)
    const tokens = await signIn(config, 'http://127.0.0.1:51004/callback', openid.buildAuthorizationUrlWithPAR)
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect(renewed.thumbprint).not.toBe(certificate.thumbprint)
    const later = await discover('native', openid.None(), renewed)
    const refreshed = await openid.refreshTokenGrant(later, refreshTokenOf(tokens))
    expect(claimsOf(refreshed.access_token).cnf).toEqual({ 'x5t#S256': renewed.thumbprint })
  })

  it('as a public client, and is refused the refresh without the certificate, and with another', async () => {
    const config = await discover('native', openid.None(), certificate)
    const tokens = await signIn(config, loopback, openid.buildAuthorizationUrlWithPAR)
    const other = await createClientCertificate({ name: 'another', keyType: 'P-256' })
    for (const shown of [undefined, other]) {
      const thief = await discover('native', openid.None(), shown)
      await expect(openid.refreshTokenGrant(thief, refreshTokenOf(tokens))).rejects.toMatchObject({
        error: 'invalid_grant',
      })
    }
    expect((await openid.refreshTokenGrant(config, refreshTokenOf(tokens))).access_token).toBeDefined()
  })

  it('by device code, with a certificate', async () => {
    const config = await discover('native', openid.None(), certificate)
    const started = await openid.initiateDeviceAuthorization(config, { scope })
    const [tokens] = await Promise.all([
      openid.pollDeviceAuthorizationGrant(config, started),
      approveDevice(started.verification_uri_complete ?? ''),
    ])
    expect(tokens.claims()?.sub).toBe('user:alice')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('and is told that the person declined', async () => {
    const config = await discover('web', openid.ClientSecretBasic('secret'))
    const asked = await begin(config, callback, openid.buildAuthorizationUrl, { prompt: 'consent' })
    const page = await asked.browser.submit(await asked.signIn(), { decision: 'deny' })
    await expect(asked.finish(page)).rejects.toMatchObject({ error: 'access_denied' })
  })

  it('as a client that registers itself', async () => {
    const config = await openid.dynamicClientRegistration(
      new URL(server.issuer),
      { redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], client_name: 'Notes' },
      undefined,
      { initialAccessToken: initial, [openid.customFetch]: fetchWith() },
    )
    const { client_id, client_secret = '' } = config.clientMetadata()
    const basic = await discover(client_id, openid.ClientSecretBasic(String(client_secret)))
    expect((await signIn(basic, callback)).claims()?.aud).toBe(client_id)
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
      { initialAccessToken: initial, [openid.customFetch]: fetchWith(certificate) },
    )
    const { client_id } = config.clientMetadata()
    const bound = await discover(client_id, openid.None(), certificate)
    const tokens = await signIn(bound, loopback, openid.buildAuthorizationUrlWithPAR)
    expect(claimsOf(tokens.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('and is refused registration without the token of the operator', async () => {
    const registering = openid.dynamicClientRegistration(
      new URL(server.issuer),
      { redirect_uris: [callback] },
      undefined,
      {
        [openid.customFetch]: fetchWith(),
      },
    )
    await expect(registering).rejects.toMatchObject({ status: 401 })
  })
})

type Tokens = Awaited<ReturnType<typeof openid.authorizationCodeGrant>>
type Build = (config: openid.Configuration, parameters: Record<string, string>) => URL | Promise<URL>

/** The whole flow: the client's part by openid-client, alice's by a browser. */
async function signIn(
  config: openid.Configuration,
  redirect_uri: string,
  build: Build = openid.buildAuthorizationUrl,
  more: Readonly<Record<string, string>> = {},
): Promise<Tokens> {
  const flow = await begin(config, redirect_uri, build, more)
  return await flow.finish(await allowed(flow.browser, await flow.signIn()))
}

interface Begun {
  readonly browser: Browser
  /** Alice opens the address and signs in. */
  signIn(): Promise<Page>
  /** The client redeems what the browser came back with. */
  finish(page: Page): Promise<Tokens>
}

async function begin(
  config: openid.Configuration,
  redirect_uri: string,
  build: Build,
  more: Readonly<Record<string, string>>,
): Promise<Begun> {
  const browser = openBrowser(server)
  const [pkceCodeVerifier, expectedState, expectedNonce] = [
    openid.randomPKCECodeVerifier(),
    openid.randomState(),
    openid.randomNonce(),
  ]
  const url = await build(config, {
    redirect_uri,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  })
  return {
    browser,
    signIn: async () =>
      await browser.submit(await browser.get(`${url.pathname}${url.search}`), { username: 'alice', password: 'alice' }),
    finish: async ({ location }) =>
      await openid.authorizationCodeGrant(config, new URL(location.replace('#', '?')), {
        pkceCodeVerifier,
        expectedState,
        expectedNonce,
      }),
  }
}

/** Alice allows, where she is asked. */
async function allowed(browser: Browser, page: Page): Promise<Page> {
  return page.status === 303 ? page : await browser.submit(page, { decision: 'allow' })
}

/** Alice opens the address that the device shows, confirms its code, signs in and allows. */
async function approveDevice(address: string): Promise<void> {
  const browser = openBrowser(server)
  const { pathname, search } = new URL(address)
  const entry = await browser.get(`${pathname}${search}`)
  const code = new URL(address).searchParams.get('user_code') ?? ''
  const signingIn = await browser.submit(entry, { user_code: code })
  const confirming = await browser.submit(signingIn, { username: 'alice', password: 'alice' })
  expect((await browser.submit(confirming, { decision: 'allow' })).text).toContain('Device connected')
}

function discover(
  clientId: string,
  authentication: openid.ClientAuth,
  shown?: CertificatePair,
): Promise<openid.Configuration> {
  const metadata = shown ? { use_mtls_endpoint_aliases: true } : {}
  return openid.discovery(new URL(server.issuer), clientId, metadata, authentication, {
    [openid.customFetch]: fetchWith(shown),
  })
}

function refreshTokenOf({ refresh_token: token }: Tokens): string {
  if (token === undefined) throw new Error('there is no refresh token')
  return token
}

function hashOf(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('base64url')}`
}

/** A fetch that trusts the harness and shows the certificate: all that openid-client needs from its user. */
function fetchWith(shown?: CertificatePair): (url: string, options: object) => Promise<Response> {
  const agent = new Agent({
    connect: { ca: server.ca, ...(shown && { cert: shown.certificate, key: shown.key }) },
  })
  agents.push(agent)
  // as: undici's Response is the one of the platform
  return (url, options) => undiciFetch(url, { ...options, dispatcher: agent }) as unknown as Promise<Response>
}
