import type { SettingsInput } from 'holdfast'
import { type Browser, createVerifier, type Page } from './browser.ts'
import { api, type Declined, declined, type Form, type Harness, startServer } from './harness.ts'

/** Where the codes of the web clients go. */
export const redirect = 'https://app.test/callback'

/** What the token endpoint is shown for the challenge of {@link validRequest}. */
export const { verifier, challenge } = createVerifier()

/** An authorization request that nothing is wrong with. */
export const validRequest = {
  client_id: 'web',
  redirect_uri: redirect,
  response_type: 'code',
  scope: 'openid api1',
  state: 'state',
  nonce: 'nonce',
  code_challenge: challenge,
  code_challenge_method: 'S256',
} as const

const web = {
  client_secret: 'secret',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [redirect],
  scope: 'openid profile offline_access api1 api2',
} as const

/** Clients that send people's browsers, each with the least that it needs. */
export const visitClients = [
  { ...web, client_id: 'web', client_name: 'Notes', post_logout_redirect_uris: ['https://app.test/bye'] },
  { ...web, client_id: 'other' },
  { ...web, client_id: 'own', consent: 'skip' },
  { ...web, client_id: 'several', redirect_uris: [redirect, 'https://app.test/other?tenant=1'] },
  { ...web, client_id: 'pushes', require_pushed_authorization_requests: true },
  { ...web, client_id: 'machine', grant_types: ['client_credentials'] },
  { ...web, client_id: 'disabled', disabled: true },
  {
    client_id: 'native',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/cb', 'com.example.app:/cb'],
    scope: 'openid api1',
  },
] as const satisfies SettingsInput['clients']

/** Starts a server with two people, two scopes and the clients above. */
export function startVisits(
  change: (settings: SettingsInput) => SettingsInput = (settings) => settings,
): Promise<Harness> {
  return startServer((settings) =>
    change({
      ...settings,
      apis: [
        { identifier: api, scopes: ['api1'], scopeDescriptions: { api1: 'Read your notes' } },
        { identifier: 'https://other-api.test', scopes: ['api2'] },
      ],
      people: {
        directory: [
          { username: 'alice', password: 'alice', name: 'Alice Adams' },
          { username: 'bob', password: 'bob' },
        ],
      },
      clients: [...visitClients],
    }),
  )
}

/** Opens the authorization endpoint with the valid request and what differs, and signs in. */
export async function signIn(
  browser: Browser,
  form: Readonly<Record<string, string | undefined>> = {},
  credentials: { readonly username: string; readonly password: string } = { username: 'alice', password: 'alice' },
): Promise<Page> {
  return await browser.submit(await browser.authorize({ ...validRequest, ...form }), credentials)
}

/** Signs in and allows what is asked. */
export async function authorizeFully(
  browser: Browser,
  form: Readonly<Record<string, string | undefined>> = {},
): Promise<Page> {
  const page = await signIn(browser, form)
  return page.form.action === '/consent' ? await browser.submit(page, { decision: 'allow' }) : page
}

/** Pushes the valid request, with what differs. */
export function push(server: Harness, form: Readonly<Record<string, string | undefined>> = {}, sent = {}) {
  return server.post('/par', { ...validRequest, client_secret: 'secret', ...form }, sent)
}

/** Why a push is declined. */
export function declinedPush(server: Harness, form: Form, sent = {}): Promise<Declined> {
  return declined(server, server.post('/par', form, sent))
}

/** The reason that the server reported last. */
export function lastReason({ reports }: Harness): string | undefined {
  return reports.findLast(({ event }) => event === 'refused')?.reason
}
