import { describe, expect, it } from 'vitest'
import type { AccessToken } from './access-token.ts'
import { ClientError } from './client-error.ts'
import { createProtectedFetch } from './protected-fetch.ts'

const api = 'https://api.example/things'

describe('RFC 6750 §2.1 a fetch that brings the token', () => {
  it('sends it in the Authorization header, beside the other headers', async () => {
    const { call, requests } = world([ok])
    await call(api, { headers: { accept: 'text/plain', Authorization: 'Basic x' } })
    expect(requests).toEqual([['GET', 'Bearer token-1', 'text/plain']])
  })

  it('takes a Request', async () => {
    const { call, requests } = world([ok])
    await call(new Request(api, { method: 'DELETE', headers: { accept: 'text/plain' } }))
    expect(requests).toEqual([['DELETE', 'Bearer token-1', 'text/plain']])
  })

  it.each(['http://api.example/', 'HTTP://api.example/', '/things', 'ws://api.example/'])(
    '[RFC6750-5.3] never sends it to %s',
    async (url) => {
      const { call, requests } = world([ok])
      await expect(call(url)).rejects.toMatchObject({ reason: 'url_not_https' })
      expect(requests).toEqual([])
    },
  )

  it('gives a redirect back', async () => {
    const { call, requests } = world([
      () => new Response('', { status: 307, headers: { location: 'https://evil.example' } }),
    ])
    expect((await call(api)).status).toBe(307)
    expect(requests).toHaveLength(1)
  })
})

describe('RFC 6750 §3.1 invalid_token', () => {
  it('is answered once with a fresh token', async () => {
    const { call, requests } = world([refused, ok])
    expect((await call(api)).status).toBe(200)
    expect(requests.map(([, authorization]) => authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  it('comes back to the caller the second time', async () => {
    const { call, requests } = world([refused, refused, ok])
    expect((await call(api)).status).toBe(401)
    expect(requests).toHaveLength(2)
  })

  it.each([
    ['403', () => new Response('', { status: 403, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })],
    [
      'insufficient_scope',
      () => new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } }),
    ],
    ['no error', () => new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer' } })],
    ['no challenge', () => new Response('', { status: 401 })],
  ])('is not what %s means', async (_, answer) => {
    const { call, requests } = world([answer, ok])
    await call(api)
    expect(requests).toHaveLength(1)
  })

  it.each<[string, () => NonNullable<RequestInit['body']>]>([
    ['text', () => 'body'],
    ['a form', () => new URLSearchParams('a=b')],
    ['bytes', () => new Uint8Array([1])],
    ['a blob', () => new Blob(['x'])],
  ])('repeats a body of %s', async (_, body) => {
    const { call, requests } = world([refused, ok])
    await call(api, { method: 'POST', body: body() })
    expect(requests).toHaveLength(2)
  })

  it.each<[string, () => Parameters<ReturnType<typeof createProtectedFetch>>]>([
    ['a stream', () => [api, { method: 'POST', body: new Blob(['x']).stream() }]],
    ['a Request', () => [new Request(api, { method: 'POST', body: 'x' })]],
  ])('does not repeat the body of %s, and takes a fresh token the next time', async (_, request) => {
    const { call, requests } = world([refused, ok])
    await expect(call(...request())).rejects.toMatchObject({ reason: 'body_not_repeatable', status: 401 })
    expect(requests).toHaveLength(1)
    await call(...request())
    expect(requests.at(-1)?.[1]).toBe('Bearer token-2')
  })
})

describe('a connection that was lost', () => {
  it.each(['GET', 'HEAD', 'OPTIONS'])('is replaced once for %s', async (method) => {
    const { call } = world([lost, ok])
    expect((await call(api, { method })).status).toBe(200)
    await expect(world([lost, lost, ok]).call(api, { method })).rejects.toMatchObject({ reason: 'connection_lost' })
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is an error for %s, which may have been carried out', async (method) => {
    const { call, requests } = world([lost, ok])
    await expect(call(api, { method })).rejects.toMatchObject({ reason: 'connection_lost' })
    expect(requests).toHaveLength(1)
  })
})

describe("the caller's signal", () => {
  it('ends the waiting for a token', async () => {
    const never = createProtectedFetch({ obtain: () => new Promise(() => undefined), forget: () => undefined }, fetch)
    const call = never(api, { signal: AbortSignal.timeout(10) })
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('keeps its own reason', async () => {
    const mine = new Error('mine')
    const { call } = world([ok])
    await expect(call(api, { signal: AbortSignal.abort(mine) })).rejects.toBe(mine)
  })
})

type Answer = () => Response

const ok: Answer = () => new Response('ok')
const refused: Answer = () =>
  new Response('', {
    status: 401,
    headers: { 'www-authenticate': 'Bearer error="invalid_token", error_description="x"' },
  })
const lost: Answer = () => {
  throw new ClientError('connection_lost')
}

/** An API that gives these answers in turn, and tokens that are counted. */
function world(answers: Answer[]) {
  const requests: (readonly [method: string, authorization: string | null, accept: string | null])[] = []
  let count = 1
  const tokens = {
    obtain: async () => accessToken(`token-${count}`),
    forget: (token: string) => void (token === `token-${count}` && count++),
  }
  const call = createProtectedFetch(tokens, async (input, init) => {
    const { method, headers, redirect } = new Request(input, { ...init, duplex: 'half' } as RequestInit)
    expect(redirect).toBe('manual')
    requests.push([method, headers.get('authorization'), headers.get('accept')])
    return answers[requests.length - 1]?.() ?? new Response('')
  })
  return { call, requests }
}

function accessToken(access_token: string): AccessToken {
  return { access_token, token_type: 'Bearer', expires: undefined, scope: undefined, confirmation: undefined }
}
