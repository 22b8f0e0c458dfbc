import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { api, baseClients, claimsOf, declined, type Harness, startServer } from './harness.ts'

const [a, b, reference, edwards] = ['https://a.test', 'https://b.test/v1', 'urn:example:reference', 'https://e.test']

let server: Harness
beforeAll(async () => {
  server = await startServer((settings) => ({
    ...settings,
    apis: [
      ...settings.apis,
      { identifier: a, scopes: ['a', 'both'], accessTokens: { lifetime: 1200 } },
      { identifier: b, scopes: ['b', 'both'], accessTokens: { lifetime: 600 } },
      { identifier: reference, scopes: ['r'], accessTokens: { format: 'reference' } },
      { identifier: edwards, scopes: ['e'], accessTokens: { algorithm: 'EdDSA' } },
    ],
    clients: [
      ...baseClients,
      { client_id: 'many', client_secret: 'secret', scope: 'a b both r e' },
      { client_id: 'only-a', client_secret: 'secret', scope: 'a' },
      { client_id: 'none', client_secret: 'secret' },
      { client_id: 'handles', client_secret: 'secret', scope: 'a r e', access_token_format: 'reference' },
      { client_id: 'brief', client_secret: 'secret', scope: 'a b both', access_token_lifetime: 60 },
      { client_id: 'no-grant', client_secret: 'secret', scope: 'a', grant_types: [] },
    ],
  }))
})
afterAll(() => server.close())
afterEach(async () => {
  expect((await server.token()).status, 'still serves').toBe(200)
})

/** A token request of `many`: parameters in the place of the usual ones. */
function ask(form: Readonly<Record<string, string | undefined>>, resources: readonly string[] = []) {
  const usual = { grant_type: 'client_credentials', client_id: 'many', client_secret: 'secret', ...form }
  const entries = Object.entries(usual).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return server.token([...entries, ...resources.map((resource) => ['resource', resource] as const)])
}

describe('RFC 6749 §4.4.2 a request for client credentials', () => {
  it('[RFC6749-5.1-1, RFC6749-5.1-2, RFC6749-4.4.3-1] gets a token for the scope that it asks for', async () => {
    const { status, json, headers } = await ask({ scope: 'a' })
    expect(status).toBe(200)
    expect(json).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 1200, scope: 'a' })
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'content-type': 'application/json',
    })
  })

  it('[RFC6749-3.3-1, RFC6749-3.3-2] gets the whole scope of the client where it asks for none', async () => {
    expect((await ask({ client_id: 'only-a' })).json.scope).toBe('a')
    expect((await ask({ client_id: 'only-a', scope: '' })).json.scope).toBe('a')
  })

  it.each([
    ['without grant_type', { grant_type: undefined }, 'invalid_request', 'grant_type_missing'],
    ['with an empty grant_type', { grant_type: '' }, 'invalid_request', 'grant_type_missing'],
    [
      '[RFC6749-5.2-1] with a grant that nobody knows',
      { grant_type: 'password' },
      'unsupported_grant_type',
      'grant_type_unsupported',
    ],
    [
      'with a grant in other case',
      { grant_type: 'Client_Credentials' },
      'unsupported_grant_type',
      'grant_type_unsupported',
    ],
    [
      '[T46] with a grant that is not for the client',
      { client_id: 'no-grant' },
      'unauthorized_client',
      'grant_type_not_allowed',
    ],
    ['[T61] with a scope that nobody knows', { scope: 'unknown' }, 'invalid_scope', 'scope_unknown'],
    ['[T61] with a scope of another client', { client_id: 'only-a', scope: 'a b' }, 'invalid_scope', 'scope_unknown'],
    ['[T61] with a scope in other case', { scope: 'A' }, 'invalid_scope', 'scope_unknown'],
    ['[T61] with a prefix of a scope', { scope: 'bot' }, 'invalid_scope', 'scope_unknown'],
    ['[T61] of a client that may have nothing', { client_id: 'none' }, 'invalid_scope', 'scope_unknown'],
    ['[T61] with a scope twice', { scope: 'a a' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with two spaces', { scope: 'a  b' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a space at the end', { scope: 'a ' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a tab', { scope: 'a\tb' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a quote', { scope: 'a"' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a backslash', { scope: 'a\\' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a control character', { scope: 'a\u0007' }, 'invalid_scope', 'scope_malformed'],
    ['[T61] with a letter beyond ASCII', { scope: 'ä' }, 'invalid_scope', 'scope_malformed'],
    ['[T62] with 10 000 scopes', { scope: scopes(10_000) }, 'invalid_scope', 'scope_malformed'],
  ])('%s is refused', async (_, form, error, reason) => {
    expect(await declined(server, ask({ scope: 'a', ...form }))).toMatchObject({ status: 400, error, reason })
  })

  it('[RFC6749-4.4-1, RFC6749-2.3-2] [T63] is refused from a public client, with a certificate or without', async () => {
    const form = { client_id: 'public', client_secret: undefined }
    const certificate = await createClientCertificate({ name: 'public', keyType: 'P-256' })
    for (const sent of [{}, { certificate }])
      expect(await declined(server, server.token(form, sent))).toMatchObject({
        status: 400,
        error: 'unauthorized_client',
        reason: 'client_public',
      })
  })
})

describe('RFC 8707 §2 resource', () => {
  it('where it is left out the scopes choose the audience', async () => {
    for (const [scope, aud] of [
      ['a', a],
      ['b', b],
      ['both', [a, b]],
      ['a b', [a, b]],
    ] as const)
      expect(claimsOf((await ask({ scope })).json.access_token).aud).toEqual(aud)
  })

  it('chooses the audience, and the scope becomes what belongs there', async () => {
    expect(claimsOf((await ask({ scope: 'both' }, [b])).json.access_token)).toMatchObject({ aud: b, scope: 'both' })
    const { json } = await ask({}, [a])
    expect(json.scope).toBe('a both')
    expect(claimsOf(json.access_token)).toMatchObject({ aud: a, scope: 'a both' })
  })

  it('may stand there several times, and one of them twice', async () => {
    expect(claimsOf((await ask({}, [a, b, a])).json.access_token)).toMatchObject({ aud: [a, b], scope: 'a b both' })
  })

  it('may be empty, which is as if it were left out', async () => {
    expect(claimsOf((await ask({ scope: 'a' }, [''])).json.access_token).aud).toBe(a)
  })

  it.each([
    ['that nobody knows', ['https://unknown.test'], 'resource_unknown'],
    ['that is known, beside one that is not', [a, 'https://unknown.test'], 'resource_unknown'],
    ['whose scopes the client may not have', [api], 'resource_unknown'],
    ['with a slash more', [`${a}/`], 'resource_unknown'],
    ['in other case', ['https://A.test'], 'resource_unknown'],
    ['that is a prefix', ['https://b.test'], 'resource_unknown'],
    ['that is relative', ['/v1'], 'resource_malformed'],
    ['that is no URI', ['a.test'], 'resource_malformed'],
    ['with a fragment', [`${a}#x`], 'resource_malformed'],
    ['with an empty fragment', [`${a}#`], 'resource_malformed'],
    ['eleven times', Array.from({ length: 11 }, () => a), 'resources_too_many'],
    ['a hundred times', Array.from({ length: 100 }, (_, at) => `https://${at}.test`), 'resources_too_many'],
  ])('[T60] %s is refused', async (_, resources, reason) => {
    expect(await declined(server, ask({}, resources))).toMatchObject({ status: 400, error: 'invalid_target', reason })
  })

  it('and scope must fit each other', async () => {
    expect(await declined(server, ask({ scope: 'a' }, [b]))).toMatchObject({
      status: 400,
      error: 'invalid_target',
      reason: 'resource_unknown',
    })
    expect(await declined(server, ask({ scope: 'a b' }, [a]))).toMatchObject({
      status: 400,
      error: 'invalid_scope',
      reason: 'scope_unknown',
    })
  })

  it('may not name APIs that take different tokens', async () => {
    for (const resources of [
      [a, reference],
      [a, edwards],
      [reference, edwards],
    ]) {
      const refusal = await declined(server, ask({}, resources))
      expect(refusal).toMatchObject({ status: 400, error: 'invalid_target', reason: 'resources_disagree' })
    }
    const refusal = await declined(server, ask({ scope: 'a e' }))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_target', reason: 'resources_disagree' })
  })

  it('may name them where the client gets reference tokens anyhow', async () => {
    const { status, json } = await ask({ client_id: 'handles' }, [a, reference, edwards])
    expect(status).toBe(200)
    expect(json.access_token).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})

describe('the lifetime of a token', () => {
  it('is that of the API, the shortest of several, and that of the client before all', async () => {
    for (const [form, lifetime] of [
      [{ scope: 'a' }, 1200],
      [{ scope: 'b' }, 600],
      [{ scope: 'both' }, 600],
      [{ scope: 'r' }, 3600],
      [{ client_id: 'brief', scope: 'both' }, 60],
    ] as const)
      expect((await ask(form)).json.expires_in).toBe(lifetime)
  })
})

function scopes(count: number): string {
  return Array.from({ length: count }, (_, at) => String.fromCharCode(97 + (at % 26))).join(' ')
}
