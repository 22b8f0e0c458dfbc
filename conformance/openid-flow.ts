import type { CertificatePair } from '@holdfast/pop/certificates'
import * as openid from 'openid-client'
import { Agent, fetch as undiciFetch } from 'undici'
import { type Browser, openBrowser, type Page } from './browser.ts'
import type { Harness } from './harness.ts'

/** The scope that people are asked for. */
export const personScope = 'openid profile offline_access api1'

/** What openid-client has of one server. */
export interface OpenidClients {
  /** With a certificate it goes to the mTLS aliases. */
  discover(
    clientId: string,
    authentication: openid.ClientAuth,
    shown?: CertificatePair,
    metadata?: Partial<openid.ClientMetadata>,
  ): Promise<openid.Configuration>
  /** A fetch that trusts the harness and shows the certificate: all that openid-client needs from its user. */
  fetchWith(shown?: CertificatePair): openid.CustomFetch
  close(): Promise<void>
}

/** Gives openid-client what it needs to reach a server. */
export function createOpenidClients({ issuer, ca }: Pick<Harness, 'issuer' | 'ca'>): OpenidClients {
  const agents: Agent[] = []
  const fetchWith = (shown?: CertificatePair): openid.CustomFetch => {
    const agent = new Agent({ connect: { ca, ...(shown && { cert: shown.certificate, key: shown.key }) } })
    agents.push(agent)
    // as: undici's Response is the one of the platform
    return (url, options) =>
      undiciFetch(url, { ...(options as object), dispatcher: agent }) as unknown as Promise<Response>
  }
  return {
    fetchWith,
    discover: (clientId, authentication, shown, metadata = {}) =>
      openid.discovery(
        new URL(issuer),
        clientId,
        { ...(shown && { use_mtls_endpoint_aliases: true }), ...metadata },
        authentication,
        { [openid.customFetch]: fetchWith(shown) },
      ),
    close: async () => void (await Promise.all(agents.map((agent) => agent.close()))),
  }
}

/** What a client gets for a person. */
export type Tokens = Awaited<ReturnType<typeof openid.authorizationCodeGrant>>

/** What is particular about one flow. */
export interface Flow {
  readonly redirectUri: string
  /** How the authorization request travels. */
  readonly build?: (
    config: openid.Configuration,
    parameters: Record<string, string>,
    options?: openid.DPoPOptions,
  ) => URL | Promise<URL>
  readonly parameters?: Readonly<Record<string, string>>
  /** At PAR and at the token endpoint. */
  readonly dpop?: openid.DPoPHandle
}

/** A flow that is at the browser. */
export interface Begun {
  readonly browser: Browser
  /** Alice opens the address and signs in. */
  signIn(): Promise<Page>
  /** The client redeems what the browser came back with. */
  finish(page: Page, options?: openid.DPoPOptions): Promise<Tokens>
}

/** The whole flow: the client's part by openid-client, alice's by a browser. */
export async function signIn(server: Harness, config: openid.Configuration, flow: Flow): Promise<Tokens> {
  const begun = await begin(server, config, flow)
  return await begun.finish(await allowed(begun.browser, await begun.signIn()))
}

/** Begins a flow with PKCE, state and nonce. */
export async function begin(
  server: Harness,
  config: openid.Configuration,
  { redirectUri, build = openid.buildAuthorizationUrl, parameters = {}, dpop }: Flow,
): Promise<Begun> {
  const browser = openBrowser(server)
  const options: openid.DPoPOptions = dpop ? { DPoP: dpop } : {}
  const [pkceCodeVerifier, expectedState, expectedNonce] = [
    openid.randomPKCECodeVerifier(),
    openid.randomState(),
    openid.randomNonce(),
  ]
  const asked = {
    redirect_uri: redirectUri,
    scope: personScope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  }
  const url = await build(config, asked, options)
  return {
    browser,
    signIn: async () =>
      await browser.submit(await browser.get(`${url.pathname}${url.search}`), { username: 'alice', password: 'alice' }),
    finish: async ({ location }, used = options) =>
      await openid.authorizationCodeGrant(
        config,
        new URL(location.replace('#', '?')),
        { pkceCodeVerifier, expectedState, expectedNonce },
        undefined,
        used,
      ),
  }
}

/** Alice allows, where she is asked. */
export async function allowed(browser: Browser, page: Page): Promise<Page> {
  return page.status === 303 ? page : await browser.submit(page, { decision: 'allow' })
}

/** Alice opens the address that the device shows, confirms its code, signs in and allows. @returns the last page */
export async function approveDevice(server: Harness, address = ''): Promise<Page> {
  const browser = openBrowser(server)
  const { pathname, search, searchParams } = new URL(address)
  const entry = await browser.get(`${pathname}${search}`)
  const signingIn = await browser.submit(entry, { user_code: searchParams.get('user_code') ?? '' })
  const confirming = await browser.submit(signingIn, { username: 'alice', password: 'alice' })
  return await browser.submit(confirming, { decision: 'allow' })
}

/** @throws Error when there is none */
export function refreshTokenOf({ refresh_token: token }: Tokens): string {
  if (token === undefined) throw new Error('there is no refresh token')
  return token
}
