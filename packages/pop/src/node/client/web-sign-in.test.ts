import { describe, expect, it } from 'vitest'
import type { PendingAuthorization } from '../../client/authorization/request.ts'
import { createSession } from '../../client/authorization/session.ts'
import { createSignIn, type WebSignIn, type WebSignInOptions } from './web-sign-in.ts'

const redirect_uri = 'https://app.example/callback'

describe('the sign-in of a web application', () => {
  it('begins with a redirect and a cookie, and comes back to where it began', async () => {
    const { signIn, redeemed } = world()
    const begun = await signIn.begin({ returnTo: '/orders?open=1' })
    expect(begun).toMatchObject({ status: 303, headers: { 'cache-control': 'no-store' } })
    const ended = await signIn.callback(callbackOf(begun))
    expect(ended.returnTo).toBe('/orders?open=1')
    expect(redeemed).toEqual([expect.objectContaining({ state: stateOf(begun), code_verifier: 'verifier' })])
  })

  it('[RFC6749-10.12-4, RFC6749-10.5-3] keeps its cookie to this host, to requests over TLS, and from scripts; and removes it', async () => {
    const { signIn } = world()
    const begun = await signIn.begin()
    expect(begun.headers['set-cookie']).toMatch(
      /^__Host-sign-in-\d=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=1800$/,
    )
    const { headers } = await signIn.callback(callbackOf(begun))
    expect(headers['set-cookie']).toMatch(/^__Host-sign-in-\d=; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=0$/)
  })

  it('lets nobody read what the cookie holds', async () => {
    const { signIn } = world()
    const [, value = ''] = /=([^;]+);/.exec((await signIn.begin()).headers['set-cookie']) ?? []
    expect(Buffer.from(value, 'base64url').toString('latin1')).not.toContain('verifier')
  })

  it('takes requests of the web as well as of Node', async () => {
    const { signIn } = world()
    const { url, headers } = callbackOf(await signIn.begin())
    await signIn.callback({ url: new URL(url, redirect_uri).href, headers: new Headers(headers) })
  })

  it('can have several under way in one browser', async () => {
    const { signIn } = world()
    const [one, two] = [await signIn.begin({ returnTo: '/1' }), await signIn.begin({ returnTo: '/2' })]
    const cookie = [one, two].map(({ headers }) => headers['set-cookie'].split(';')[0]).join('; ')
    const back = await Promise.all(
      [one, two].map((each) => signIn.callback({ url: callbackOf(each).url, headers: { cookie } })),
    )
    expect(back.map(({ returnTo }) => returnTo)).toEqual(['/1', '/2'])
  })

  it('may end in another process that has the same key, and in no other', async () => {
    const key = new Uint8Array(32).fill(7)
    const begun = await world({ key }).signIn.begin()
    await world({ key }).signIn.callback(callbackOf(begun))
    const stranger = world({ key: new Uint8Array(32) }).signIn.callback(callbackOf(begun))
    await expect(stranger).rejects.toMatchObject({ reason: 'state_mismatch' })
  })

  it.each([
    ['[C11] without a state', 'state_missing', (good: Callback) => ({ ...good, url: '/callback?code=code' })],
    ['[C11] without the cookie', 'state_mismatch', (good: Callback) => ({ ...good, headers: {} })],
    [
      '[C11] with a cookie that was altered',
      'state_mismatch',
      (good: Callback) => ({ ...good, headers: altered(good) }),
    ],
  ])('refuses an answer and asks for no token: %s', async (_, reason, change) => {
    const { signIn, redeemed } = world()
    const wrong = change(callbackOf(await signIn.begin()))
    await expect(signIn.callback(wrong)).rejects.toMatchObject({ reason })
    expect(redeemed).toEqual([])
  })

  it.each(['//evil.example', 'https://evil.example', '/\\evil.example', '/a\\b', '/\n/evil', 'x', ''])(
    'leads nobody elsewhere in the end: %j',
    async (returnTo) => {
      const { signIn } = world()
      expect((await signIn.callback(callbackOf(await signIn.begin({ returnTo })))).returnTo).toBe('/')
    },
  )
})

/** The handlers over a client that begins and redeems without a server. */
function world(options: Partial<WebSignInOptions> = {}) {
  let count = 0
  const redeemed: PendingAuthorization[] = []
  const signIn = createSignIn({
    redirect_uri,
    client: {
      authorize: async (request) => {
        const state = `${++count}${'x'.repeat(42)}`
        const url = `https://as.example/authorize?state=${state}`
        return { url, state, redirect_uri: request.redirect_uri, code_verifier: 'verifier', began: 0 }
      },
      redeem: async (_, pending) => {
        redeemed.push(pending)
        return createSession({})
      },
    },
    ...options,
  })
  return { signIn, redeemed }
}

type Callback = ReturnType<typeof callbackOf>
type Begun = Awaited<ReturnType<WebSignIn['begin']>>

function stateOf({ headers }: Begun): string {
  return new URL(headers.location).searchParams.get('state') ?? ''
}

/** What the browser that began brings back. */
function callbackOf(begun: Begun) {
  const [cookie = ''] = begun.headers['set-cookie'].split(';')
  return { url: `/callback?code=code&state=${stateOf(begun)}`, headers: { cookie } }
}

function altered({ headers: { cookie } }: Callback) {
  const at = cookie.indexOf('=') + 40
  return { cookie: `${cookie.slice(0, at)}${cookie[at] === 'A' ? 'B' : 'A'}${cookie.slice(at + 1)}` }
}
