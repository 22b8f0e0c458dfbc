import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import type { SettingsInput } from 'holdfast'
import { importPKCS8 } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { api, claimsOf, type Harness, startServer } from './harness.ts'
import {
  allowed,
  approveDevice,
  begin,
  createOpenidClients,
  type Flow,
  type OpenidClients,
  personScope,
  refreshTokenOf,
  signIn,
} from './openid-flow.ts'

const callback = 'https://app.test/callback'
const loopback = 'http://127.0.0.1/callback'
const forPeople = ['authorization_code', 'refresh_token'] as const
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

const assertion = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const assertionKey = await importPKCS8(
  assertion.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  'ES256',
)
const pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })

const clients: SettingsInput['clients'] = [
  {
    client_id: 'client',
    client_secret: 'secret',
    grant_types: ['client_credentials', tokenExchange],
    scope: 'api1',
  },
  {
    client_id: 'both',
    client_secret: 'secret',
    scope: 'api1',
    dpop_bound_access_tokens: true,
    tls_client_certificate_bound_access_tokens: true,
  },
  {
    client_id: 'assertion',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'api1',
    jwks: { keys: [{ ...assertion.publicKey.export({ format: 'jwk' }), kty: 'EC' }] },
  },
  {
    client_id: 'pinned',
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    scope: 'api1',
    jwks: { keys: [registered(pinned)] },
  },
  {
    client_id: 'web',
    client_secret: 'secret',
    grant_types: [...forPeople],
    redirect_uris: [callback],
    scope: personScope,
  },
  {
    client_id: 'native',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: [...forPeople, 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: [loopback],
    scope: personScope,
  },
]

describe.each(['off', 'required'] as const)('openid-client with DPoP, unmodified, nonces %s', (nonces) => {
  const running = serving(nonces)

  it.each([
    ['client_secret_basic', 'client', openid.ClientSecretBasic('secret')],
    ['client_secret_post', 'client', openid.ClientSecretPost('secret')],
    ['private_key_jwt', 'assertion', openid.PrivateKeyJwt(assertionKey)],
  ])('[RFC9449-5] gets a bound token by %s', async (_, clientId, authentication) => {
    const { server, clients } = running()
    const config = await clients.discover(clientId, authentication)
    const { dpop, jkt } = await handle(config)
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1', resource: api }, { DPoP: dpop })
    expect(tokens.token_type).toBe('dpop')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
    expect(await openid.tokenIntrospection(config, tokens.access_token)).toMatchObject({
      active: true,
      token_type: 'DPoP',
      cnf: { jkt },
    })
    await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
    expect(refusals(server)).toEqual(nonces === 'required' ? ['dpop_nonce_missing'] : [])
  })

  it.each(['ES256', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'])(
    'gets a token bound to a key for %s',
    async (alg) => {
      const config = await running().clients.discover('client', openid.ClientSecretBasic('secret'))
      const { dpop, jkt } = await handle(config, alg)
      const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
      expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
    },
  )

  it('[RFC9449-5] gets a bound token where the certificate authenticates', async () => {
    const { clients } = running()
    const config = await clients.discover('pinned', openid.TlsClientAuth(), pinned)
    const { dpop, jkt } = await handle(config)
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
  })

  it('gets a bound token as a client that is registered for both, and is refused without either', async () => {
    const { server, clients } = running()
    const ask = async (shown: CertificatePair | undefined, withProof: boolean) => {
      const config = await clients.discover('both', openid.ClientSecretBasic('secret'), shown)
      const { dpop, jkt } = await handle(config)
      const options = withProof ? { DPoP: dpop } : {}
      const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1' }, options)
      expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
    }
    await ask(pinned, true)
    await expect(ask(pinned, false)).rejects.toMatchObject({ error: 'invalid_request' })
    await expect(ask(undefined, true)).rejects.toMatchObject({ error: 'invalid_request' })
    expect(refusals(server).filter((reason) => !reason?.startsWith('dpop_nonce'))).toEqual([
      'dpop_required',
      'certificate_required',
    ])
  })

  it.each([
    ['with PKCE', {}],
    ['with PKCE through PAR', { build: openid.buildAuthorizationUrlWithPAR }],
  ])('acts for a person by code %s: token, UserInfo and refresh with the key', async (_, flow: Partial<Flow>) => {
    const { server, clients } = running()
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const { dpop, jkt } = await handle(config)
    const tokens = await signIn(server, config, { redirectUri: callback, dpop, ...flow })
    expect(tokens.token_type).toBe('dpop')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
    expect(await openid.fetchUserInfo(config, tokens.access_token, 'user:alice', { DPoP: dpop })).toEqual({
      sub: 'user:alice',
      name: 'Alice Example',
    })
    const refreshed = await openid.refreshTokenGrant(config, refreshTokenOf(tokens), undefined, { DPoP: dpop })
    expect(claimsOf(refreshed.access_token).cnf).toEqual({ jkt })
    expect(refusals(server)).toEqual(nonces === 'required' ? ['dpop_nonce_missing'] : [])
  })

  it('[RFC9449-5] renews what a public client got by code with its key, and with no other', async () => {
    const { server, clients } = running()
    const config = await clients.discover('native', openid.None())
    const [own, other] = [await handle(config), await handle(config)]
    const tokens = await signIn(server, config, { redirectUri: loopback, dpop: own.dpop })
    const refresh = (used: openid.DPoPOptions) =>
      openid.refreshTokenGrant(config, refreshTokenOf(tokens), undefined, used)
    for (const used of [{}, { DPoP: other.dpop }])
      await expect(refresh(used)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect(claimsOf((await refresh({ DPoP: own.dpop })).access_token).cnf).toEqual({ jkt: own.jkt })
  })

  it('lets a confidential client go on with a new key', async () => {
    const { server, clients } = running()
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const [first, second] = [await handle(config), await handle(config)]
    const tokens = await signIn(server, config, { redirectUri: callback, dpop: first.dpop })
    const refreshed = await openid.refreshTokenGrant(config, refreshTokenOf(tokens), undefined, { DPoP: second.dpop })
    expect(claimsOf(refreshed.access_token).cnf).toEqual({ jkt: second.jkt })
  })

  it.each([
    ['dpop_jkt in the authorization request', false],
    ['a proof at PAR', true],
  ])('[RFC9449-10] redeems a code that is bound by %s with that key, and with no other', async (_, pushed) => {
    const { server, clients } = running()
    const config = await clients.discover('native', openid.None())
    const [own, other] = [await handle(config), await handle(config)]
    const flow: Flow = pushed
      ? { redirectUri: loopback, build: openid.buildAuthorizationUrlWithPAR, dpop: own.dpop }
      : { redirectUri: loopback, parameters: { dpop_jkt: own.jkt }, dpop: own.dpop }
    const tokens = await signIn(server, config, flow)
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt: own.jkt })
    const begun = await begin(server, config, flow)
    const page = await allowed(begun.browser, await begun.signIn())
    await expect(begun.finish(page, { DPoP: other.dpop })).rejects.toMatchObject({ error: 'invalid_grant' })
    expect(claimsOf((await begun.finish(page)).access_token).cnf).toEqual({ jkt: own.jkt })
  })

  it('gets a bound token by device code', { timeout: 30_000 }, async () => {
    const { server, clients } = running()
    const config = await clients.discover('native', openid.None())
    const { dpop, jkt } = await handle(config)
    const started = await openid.initiateDeviceAuthorization(config, { scope: personScope })
    const [tokens] = await Promise.all([
      openid.pollDeviceAuthorizationGrant(config, started, undefined, { DPoP: dpop }),
      approveDevice(server, started.verification_uri_complete),
    ])
    expect(tokens.claims()?.sub).toBe('user:alice')
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
  })

  it('exchanges a bound token for another one of the same key, and not without it', async () => {
    const config = await running().clients.discover('client', openid.ClientSecretBasic('secret'))
    const { dpop, jkt } = await handle(config)
    const own = await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
    const form = { subject_token: own.access_token, subject_token_type: accessTokenType }
    const exchanged = await openid.genericGrantRequest(config, tokenExchange, form, { DPoP: dpop })
    expect(exchanged).toMatchObject({ token_type: 'dpop', issued_token_type: accessTokenType })
    expect(claimsOf(exchanged.access_token).cnf).toEqual({ jkt })
    await expect(openid.genericGrantRequest(config, tokenExchange, form)).rejects.toMatchObject({
      error: 'invalid_request',
    })
  })

  it('is refused UserInfo with the bound token and no proof, and with the proof of another key', async () => {
    const { server, clients } = running()
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const [own, other] = [await handle(config), await handle(config)]
    const { access_token } = await signIn(server, config, { redirectUri: callback, dpop: own.dpop })
    for (const used of [{}, { DPoP: other.dpop }])
      await expect(openid.fetchUserInfo(config, access_token, 'user:alice', used)).rejects.toMatchObject({
        status: 401,
      })
  })

  it('[RFC9449-11.1] is refused a second proof with the same jti', async () => {
    const { server, clients } = running()
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const key = await openid.randomDPoPKeyPair()
    const own = openid.getDPoPHandle(config, key)
    const { access_token } = await signIn(server, config, { redirectUri: callback, dpop: own })
    const repeating = openid.getDPoPHandle(config, key, {
      [openid.modifyAssertion]: (_, claims) => void Object.assign(claims, { jti: 'the-same' }),
    })
    const ask = () => openid.fetchUserInfo(config, access_token, 'user:alice', { DPoP: repeating })
    expect((await ask()).sub).toBe('user:alice')
    await expect(ask()).rejects.toMatchObject({ status: 401 })
    expect(refusals(server).at(-1)).toBe('dpop_replayed')
  })
})

describe('openid-client with DPoP whose clock is off, nonces on-skew', () => {
  const running = serving('on-skew')

  it.each([-120, 120])(
    '[RFC9449-8] gets a token by a nonce when it is %i s away, and keeps the nonce',
    async (skew) => {
      const { server, clients } = running()
      const metadata = { [openid.clockSkew]: skew }
      const config = await clients.discover('client', openid.ClientSecretBasic('secret'), undefined, metadata)
      const { dpop, jkt } = await handle(config)
      for (const _ of [1, 2]) {
        const tokens = await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
        expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt })
      }
      expect(refusals(server)).toEqual(['dpop_skewed'])
    },
  )
})

describe.each(['off', 'required'] as const)('oauth4webapi with DPoP, unmodified, nonces %s', (nonces) => {
  const running = serving(nonces)
  const native: oauth.Client = { client_id: 'native' }

  it('learns the nonce at PAR, and uses it for code, UserInfo and refresh', async () => {
    const { server, options, metadata } = await discovered(running())
    const key = await oauth.generateKeyPair('ES256')
    const dpop = oauth.DPoP(native, key)
    const [verifier, state, nonce] = [
      oauth.generateRandomCodeVerifier(),
      oauth.generateRandomState(),
      oauth.generateRandomNonce(),
    ]
    const asked = new URLSearchParams({
      redirect_uri: loopback,
      response_type: 'code',
      scope: personScope,
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const { request_uri } = await retried(async () =>
      oauth.processPushedAuthorizationResponse(
        metadata,
        native,
        await oauth.pushedAuthorizationRequest(metadata, native, oauth.None(), asked, { ...options, DPoP: dpop }),
      ),
    )
    const browser = openBrowser(server)
    const page = await allowed(
      browser,
      await browser.submit(await browser.authorize({ client_id: 'native', request_uri }), {
        username: 'alice',
        password: 'alice',
      }),
    )
    const callback = oauth.validateAuthResponse(metadata, native, new URL(page.location), state)
    const tokens = await oauth.processAuthorizationCodeResponse(
      metadata,
      native,
      await oauth.authorizationCodeGrantRequest(metadata, native, oauth.None(), callback, loopback, verifier, {
        ...options,
        DPoP: dpop,
      }),
      { expectedNonce: nonce, requireIdToken: true },
    )
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt: await dpop.calculateThumbprint() })
    const person = await oauth.processUserInfoResponse(
      metadata,
      native,
      'user:alice',
      await oauth.userInfoRequest(metadata, native, tokens.access_token, { ...options, DPoP: dpop }),
    )
    expect(person.name).toBe('Alice Example')
    const refreshed = await oauth.processRefreshTokenResponse(
      metadata,
      native,
      await oauth.refreshTokenGrantRequest(metadata, native, oauth.None(), tokens.refresh_token ?? '', {
        ...options,
        DPoP: dpop,
      }),
    )
    expect(refreshed.token_type).toBe('dpop')
    expect(refusals(server)).toEqual(nonces === 'required' ? ['dpop_nonce_missing'] : [])
  })

  it('[RFC9449-9] reads the challenge of UserInfo that asks for a nonce, and comes back with it', async () => {
    const { server, clients, options, metadata } = await discovered(running())
    const config = await clients.discover('web', openid.ClientSecretBasic('secret'))
    const key = await oauth.generateKeyPair('ES256')
    const client: oauth.Client = { client_id: 'web' }
    const tokens = await signIn(server, config, { redirectUri: callback, dpop: openid.getDPoPHandle(config, key) })
    const dpop = oauth.DPoP(client, key)
    const ask = async () =>
      oauth.processUserInfoResponse(
        metadata,
        client,
        'user:alice',
        await oauth.userInfoRequest(metadata, client, tokens.access_token, { ...options, DPoP: dpop }),
      )
    if (nonces === 'required') {
      const error = await ask().catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
      expect(oauth.isDPoPNonceError(error)).toBe(true)
    }
    expect((await ask()).sub).toBe('user:alice')
  })
})

/** What oauth4webapi needs: the metadata, and a fetch that trusts the harness. */
async function discovered({ server, clients }: { server: Harness; clients: OpenidClients }) {
  const options = { [oauth.customFetch]: clients.fetchWith() }
  const issuer = new URL(server.issuer)
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
  return { server, clients, options, metadata: await oauth.processDiscoveryResponse(issuer, found) }
}

/** oauth4webapi leaves it to its user to ask once more when a nonce is wanted. */
async function retried<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return await ask()
  }
}

/** A server for one describe block, with nonces as that block wants them. */
function serving(nonces: 'off' | 'required' | 'on-skew'): () => { server: Harness; clients: OpenidClients } {
  let running: { server: Harness; clients: OpenidClients } | undefined
  beforeAll(async () => {
    const server = await startServer((settings) => ({
      ...settings,
      dpop: { nonces },
      mutualTls: {},
      people: { directory: [{ username: 'alice', password: 'alice', name: 'Alice Example', subject: 'user:alice' }] },
      clients,
    }))
    running = { server, clients: createOpenidClients(server) }
  })
  afterAll(async () => {
    await running?.clients.close()
    await running?.server.close()
  })
  return () => {
    if (!running) throw new Error('the server did not start')
    running.server.reports.length = 0
    return running
  }
}

interface Key {
  readonly dpop: openid.DPoPHandle
  readonly jkt: string
}

/** A new key of openid-client. */
async function handle(config: openid.Configuration, alg = 'ES256'): Promise<Key> {
  const dpop = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(alg))
  return { dpop, jkt: await dpop.calculateThumbprint() }
}

/** Why the server declined since the test began. */
function refusals({ reports }: Harness): readonly (string | undefined)[] {
  return reports.filter(({ event }) => event === 'refused').map(({ reason }) => reason)
}

function registered({ certificate }: CertificatePair): { kty: string; x5c: string[] } {
  const { raw, publicKey } = new X509Certificate(certificate)
  return { ...publicKey.export({ format: 'jwk' }), kty: 'EC', x5c: [raw.toString('base64')] }
}
