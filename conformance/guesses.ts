import { argon2Sync, createHash, randomBytes } from 'node:crypto'
import type { SettingsInput } from 'holdfast'
import { openBrowser } from './browser.ts'
import { type Answer, api, type Harness } from './harness.ts'
import { authorizeFully, redirect, validRequest, verifier, visitClients } from './visit.ts'

/** Something that can be guessed, and what its limit is called. */
export interface Guessing {
  readonly name: string
  /** So many wrong ones are answered. */
  readonly most: number
  readonly reason: string
  /** 429 unless the refusal must look like any other. */
  readonly status: number
  /** Gets ready to guess at each of the servers. */
  prepare(servers: readonly Harness[]): Promise<Guess>
}

/** Makes a guess at one of the servers. */
export type Guess = (server: Harness, what: 'right' | 'wrong', from?: string) => Promise<Answer>

const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
const initial = 'the-token-that-the-operator-gave'

/** Settings under which all of it can be guessed. The client `chosen` has a secret that is stretched, at next to no cost. */
export function guessable(settings: SettingsInput): SettingsInput {
  return {
    ...settings,
    apis: [
      { identifier: api, scopes: ['api1'] },
      { identifier: 'https://other-api.test', scopes: ['api2'] },
    ],
    people: { directory: [{ username: 'alice', password_hash: stretched('alice') }] },
    clients: [
      ...(settings.clients ?? []),
      ...visitClients.filter(({ client_id }) => client_id === 'web'),
      { client_id: 'chosen', client_secret_hash: stretched('secret'), scope: 'api1' },
      { client_id: 'device', token_endpoint_auth_method: 'none', grant_types: [grant_type], scope: 'openid api1' },
    ],
    registration: {
      initialAccessTokens: [`sha256:${createHash('sha256').update(initial).digest('base64url')}`],
      scopes: ['api1'],
    },
  }
}

const secretOf = (client_id: string, name: string): Guessing => ({
  name,
  most: 20,
  reason: 'client_attempts_exhausted',
  status: 429,
  prepare: async () => (server, what, from) =>
    server.token({ client_id, client_secret: what === 'right' ? 'secret' : 'wrong' }, from ? { from } : {}),
})

/** All that can be guessed. */
export const guessings: readonly Guessing[] = [
  secretOf('client', 'secrets'),
  secretOf('chosen', 'secrets that are stretched'),
  {
    name: 'passwords',
    most: 10,
    reason: 'person_attempts_exhausted',
    status: 429,
    async prepare(servers) {
      const begun = await Promise.all(
        servers.map(async (server) => {
          const browser = openBrowser(server)
          return { server, browser, page: await browser.authorize(validRequest) }
        }),
      )
      return async (at, what, from) => {
        const { browser, page } = begun.find(({ server }) => server === at) ?? fail()
        const password = what === 'right' ? 'alice' : 'wrong'
        return await browser.submit(page, { username: 'alice', password }, from ? { from } : {})
      }
    },
  },
  {
    name: 'codes of devices',
    most: 10,
    reason: 'user_code_guesses_exhausted',
    status: 429,
    async prepare(servers) {
      const begun = await Promise.all(
        servers.map(async (server) => {
          const { json } = await server.post('/device_authorization', { client_id: 'device' })
          const browser = openBrowser(server)
          return { server, browser, page: await browser.get('/device'), right: json.user_code }
        }),
      )
      return async (at, what, from) => {
        const { browser, page, right } = begun.find(({ server }) => server === at) ?? fail()
        return await browser.submit(page, { user_code: what === 'right' ? right : 'BBBB-BBBB' }, from ? { from } : {})
      }
    },
  },
  {
    name: 'registration tokens',
    most: 20,
    reason: 'client_attempts_exhausted',
    status: 429,
    prepare: async () => (server, what, from) =>
      server.send({
        on: 'public',
        method: 'POST',
        path: '/register',
        headers: {
          authorization: `Bearer ${what === 'right' ? initial : randomBytes(8).toString('hex')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ redirect_uris: [redirect] }),
        ...(from && { from }),
      }),
  },
]

/** Code verifiers, which are tried with a code; the refusal looks like any other. */
export const verifiers: Guessing = {
  name: 'code verifiers',
  most: 5,
  reason: 'code_tries_exhausted',
  status: 400,
  async prepare([server]) {
    const { answer } = await authorizeFully(openBrowser(server ?? fail()))
    const common = {
      grant_type: 'authorization_code',
      redirect_uri: redirect,
      client_id: 'web',
      client_secret: 'secret',
    }
    return (at, what) =>
      at.post('/token', {
        ...common,
        code: answer.code,
        code_verifier: what === 'right' ? verifier : 'x'.repeat(43),
      })
  },
}

function stretched(secret: string): string {
  const nonce = randomBytes(16)
  const cost = { memory: 32, passes: 1, parallelism: 1, tagLength: 32 }
  const tag = argon2Sync('argon2id', { message: secret, nonce, ...cost })
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${text(nonce)}$${text(tag)}`
}

function fail(): never {
  throw new Error('no such server')
}
