import { refusals } from '@holdfast/pop'
import { ClientError, createClient } from '@holdfast/pop/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callback, startPeopleServer } from './authorized.ts'
import { createVerifier, openBrowser, refusalOn } from './browser.ts'
import type { Harness } from './harness.ts'

let server: Harness

beforeAll(async () => {
  server = await startPeopleServer()
})
afterAll(() => server.close())

const request = () => ({
  client_id: 'web',
  redirect_uri: callback,
  response_type: 'code',
  scope: 'openid api1',
  code_challenge: createVerifier().challenge,
  code_challenge_method: 'S256',
})

describe('RFC 6749 §3 parameters', () => {
  it.each([
    ['an empty one as left out', { prompt: '', max_age: '', request: '', resource: '' }],
    ['an unknown one as not there', { surprise: 'x', display: 'page' }],
  ])('[RFC6749-3.1-4] the authorization endpoint takes %s', async (_, more) => {
    const page = await openBrowser(server).authorize({ ...request(), ...more })
    expect(page).toMatchObject({ status: 200, form: { action: '/sign-in' } })
  })

  it('[RFC6749-3.1-4] an empty client_id is none', async () => {
    const page = await openBrowser(server).authorize({ ...request(), client_id: '' })
    expect(refusalOn(page)).toEqual({ status: 400, error: 'invalid_request' })
  })

  it('[RFC6749-3.2-3] the token endpoint takes no notice of an unknown one', async () => {
    expect((await server.token({ surprise: 'x', response_type: 'token' })).status).toBe(200)
  })
})

describe('RFC 6749 §4.1.2.1, §5.2 what a refusal says', () => {
  it.each(Object.entries(refusals))('[RFC6749-4.1.2.1-3, RFC6749-5.2-3] %s can be sent', (_, { error, says }) => {
    expect([error, says]).toEqual(Array(2).fill(expect.stringMatching(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)))
  })

  it('[RFC6749-4.1.2.1-3] keeps what was asked out of it', async () => {
    const page = await openBrowser(server).authorize({ ...request(), scope: '"ü\\' })
    expect(page.answer.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
  })
})

describe('RFC 6749 §4.1.2, §5.1 what our client makes of an answer', () => {
  it('[RFC6749-4.1.2-6, RFC6749-5.1-3] ignores what it does not know', async () => {
    const { client, forms } = stub({ access_token: 'token', token_type: 'Bearer', expires_in: 300, surprise: { a: 1 } })
    const { state, ...pending } = await client.authorize({ redirect_uri: callback })
    const answer = new URLSearchParams({ code: 'code', state, iss: issuer, surprise: 'x', session_state: 'y' })
    const session = await client.redeem(answer, { state, ...pending })
    expect(await client.token({ session })).toMatchObject({ access_token: 'token' })
    expect(forms).toHaveLength(1)
    expect(Object.keys(forms[0] ?? {})).not.toContain('surprise')
  })

  it('[RFC9207-2.4-5] reads iss as a form encodes it', async () => {
    const { client, forms } = stub({ access_token: 'token', token_type: 'Bearer', expires_in: 300 })
    const pending = await client.authorize({ redirect_uri: callback })
    const brought = new URL(`${callback}?code=code&state=${pending.state}&iss=https%3A%2F%2Fas.example`)
    await client.redeem(brought.searchParams, pending)
    expect(forms).toHaveLength(1)
  })

  it('[RFC9207-2.4-4] does not believe an error that names another issuer', async () => {
    const { client, forms } = stub({})
    const pending = await client.authorize({ redirect_uri: callback })
    const answer = { error: 'access_denied', state: pending.state }
    const reasonOf = async (iss: string) => {
      const refused = await client.redeem(new URLSearchParams({ ...answer, iss }), pending).catch((thrown) => thrown)
      return refused instanceof ClientError ? refused.reason : refused
    }
    expect(await reasonOf('https://evil.example')).toBe('issuer_unexpected')
    expect(forms).toEqual([])
  })
})

const issuer = 'https://as.example'

/** A client, a server that answers with one token response, and the forms that came to it. */
function stub(tokens: object) {
  const forms: Readonly<Record<string, string>>[] = []
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  }
  const fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    if (String(input).includes('/.well-known/')) return Response.json(metadata)
    forms.push(Object.fromEntries(new URLSearchParams(String(init.body))))
    return Response.json(tokens)
  }
  return { client: createClient({ issuer, client_id: 'native' }, { fetch }), forms }
}
