import type { Page } from 'playwright-core'
import { createVerifier } from '../browser.ts'
import { api, type Harness, startServer } from '../harness.ts'
import { authorizeAt, type Callback, startCallback } from './chromium.ts'

/** A server with people, and the clients that send them to it. */
export interface World {
  readonly server: Harness
  readonly web: Callback
  readonly native: Callback
  /** The address that a client opens for a person. */
  ask(client: 'web' | 'native', more?: Readonly<Record<string, string>>): string
  /** The address that a device shows. */
  askByDevice(): Promise<{ readonly address: string; readonly userCode: string }>
  close(): Promise<void>
}

/** Starts it. */
export async function startWorld(): Promise<World> {
  const native = await startCallback('loopback')
  const web = await startCallback('tls')
  const server = await startServer((settings) => ({
    ...settings,
    apis: [
      {
        identifier: api,
        scopes: ['api1', 'api1.write'],
        scopeDescriptions: {
          api1: { en: 'Read your notes', de: 'Deine Notizen lesen' },
          'api1.write': { en: 'Change and delete your notes', de: 'Deine Notizen ändern und löschen' },
        },
      },
    ],
    authorizationDetails: { payment: {} },
    people: {
      upstream: [
        {
          id: 'corporate',
          name: 'Example Corp',
          issuer: 'https://login.example',
          client_id: 'holdfast',
          client_secret: 'secret',
        },
      ],
      directory: [
        { username: 'alice', password: 'alice', name: 'Alice Example', email: 'alice@example.com' },
        { username: 'bob', password: 'bob' },
      ],
    },
    clients: [
      {
        client_id: 'web',
        client_secret: 'secret',
        client_name: 'Notes',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [web.uri, 'https://notes.example/callback'],
        post_logout_redirect_uris: [web.uri],
        authorization_details_types: ['payment'],
        scope: 'openid profile email offline_access api1 api1.write',
      },
      {
        client_id: 'native',
        client_name: 'Notes for the desktop',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: [native.uri],
        scope: 'openid profile api1',
      },
    ],
  }))
  return {
    server,
    web,
    native,
    ask(client, more = {}) {
      return authorizeAt(server, {
        client_id: client,
        redirect_uri: client === 'web' ? web.uri : native.uri,
        response_type: 'code',
        scope: 'openid profile api1',
        state: 'state',
        code_challenge: createVerifier().challenge,
        code_challenge_method: 'S256',
        ...more,
      })
    },
    async askByDevice() {
      const { json } = await server.post('/device_authorization', { client_id: 'native', scope: 'openid api1' })
      return { address: json.verification_uri_complete, userCode: json.user_code }
    },
    async close() {
      await Promise.all([web.close(), native.close()])
      await server.close()
    },
  }
}

/** Alice types who she is. */
export async function signIn(page: Page, password = 'alice'): Promise<void> {
  await page.getByLabel('Username').fill('alice')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
