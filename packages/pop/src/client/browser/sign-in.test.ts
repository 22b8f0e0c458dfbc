import { createPublicKey } from 'node:crypto'
import { IDBFactory } from 'fake-indexeddb'
import { describe, expect, it } from 'vitest'
import { encodeBase64url } from '../../foundation/base64url.ts'
import { parseJwt } from '../../foundation/jws.ts'
import { generateTestKey, signJwt } from '../../testing/issuer.ts'
import { ClientError } from '../client-error.ts'
import type { Fetch } from '../context.ts'
import { openKeyStore } from './key-store.ts'
import { type BrowserSignInOptions, createBrowserSignIn, type SignedInHere } from './sign-in.ts'

const issuer = 'https://as.example'
const home = 'https://app.example/'
const api = 'https://api.example/things'
const start = 1_800_000_000

describe('a page that signs somebody in', () => {
  it('goes to the server, comes back, calls the API, is loaded again and calls again with the same key, signs out', async () => {
    const browser = world()
    const first = await browser.signedIn()
    expect(first.claims?.sub).toBe('alice')
    expect((await first.fetch(api)).status).toBe(200)

    const again = await browser.restored()
    expect(again.claims?.sub).toBe('alice')
    expect((await again.fetch(api)).status).toBe(200)
    expect(new Set(browser.keys).size).toBe(1)
    expect(browser.keys.length).toBeGreaterThan(3)

    expect(await again.signOut(home)).toBe(
      `${issuer}/sign-out?client_id=page&id_token_hint=${browser.idTokens.at(-1)}&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2F`,
    )
    expect(browser.revoked).toEqual(['refresh-1'])
    expect(await (await browser.tab()).restore()).toBeUndefined()
  })

  it.each([home, `${home}?state=x`, `${home}elsewhere?code=x&state=y`, 'https://other.example/?code=x&state=y'])(
    'finds no answer in %s',
    async (address) => {
      const tab = await world().tab()
      expect(await tab.complete(address)).toBeUndefined()
    },
  )

  it('[C11] takes an answer once, whichever tab it comes to', async () => {
    const browser = world()
    const tabs = [await browser.tab(), await browser.tab()]
    const address = await browser.answer(await tabs[0]?.begin())
    const taken = await Promise.allSettled(tabs.map((tab) => tab.complete(address)))
    expect(taken.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(taken.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { reason: 'state_mismatch' } })
    expect(browser.forms.filter(({ grant_type }) => grant_type === 'authorization_code')).toHaveLength(1)
  })

  it('[C11] takes none that was begun in another browser', async () => {
    const [mine, theirs] = [world(), world()]
    const address = await theirs.answer(await (await theirs.tab()).begin())
    await expectReason((await mine.tab()).complete(address), 'state_mismatch')
    expect(mine.forms).toEqual([])
  })

  it('tells that the person declined', async () => {
    const tab = await world().tab()
    const state = new URL(await tab.begin()).searchParams.get('state')
    await expectReason(
      tab.complete(`${home}?error=access_denied&iss=${issuer}&state=${state}`),
      'authorization_refused',
    )
  })

  it('has at most eight sign-ins under way, and forgets those that took too long', async () => {
    const browser = world()
    const tab = await browser.tab()
    const first = await browser.answer(await tab.begin())
    for (let count = 1; count < 8; count++) await tab.begin()
    const last = await browser.answer(await tab.begin())
    await expectReason(tab.complete(first), 'state_mismatch')
    browser.clock.now += 1801
    await tab.begin()
    await expectReason(tab.complete(last), 'state_mismatch')
  })
})

describe('a session of several tabs', () => {
  it('goes on in another tab', async () => {
    const browser = world()
    await browser.signedIn()
    const tabs = await Promise.all(Array.from({ length: 5 }, () => browser.restored()))
    const answers = await Promise.all(tabs.map((tab) => tab.fetch(api)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  })

  it('uses each refresh token once where the server replaces them', async () => {
    const browser = world({ rotates: true })
    await browser.signedIn()
    const tabs = await Promise.all(Array.from({ length: 4 }, () => browser.restored()))
    for (let round = 0; round < 3; round++) await Promise.all(tabs.map((tab) => tab.refresh()))
    const used = browser.forms.flatMap(({ refresh_token }) => refresh_token ?? [])
    expect(used).toHaveLength(4 + 12)
    expect(new Set(used).size).toBe(used.length)
    await browser.restored()
  })

  it('ends in all of them, with the newest refresh token', async () => {
    const browser = world({ rotates: true })
    const first = await browser.signedIn()
    const second = await browser.restored()
    await second.refresh()
    await first.signOut()
    expect(browser.revoked[0]).toBe(browser.current)
    await expectReason(first.fetch(api), 'sign_in_required')
    await expectReason(second.refresh(), 'sign_in_required')
    expect(await (await browser.tab()).restore()).toBeUndefined()
  })

  it('never becomes that of somebody else who signs in in another tab', async () => {
    const browser = world()
    const first = await browser.signedIn()
    await browser.signedIn('bob')
    await expectReason(first.refresh(), 'sign_in_required')
    expect((await browser.restored()).claims?.sub).toBe('bob')
  })
})

describe('a session that is not there', () => {
  it.each<[string, Partial<BrowserSignInOptions>]>([
    ['another scope', { scope: 'openid' }],
    ['another client', { client_id: 'other' }],
    ['another server', { issuer: 'https://other.example' }],
  ])('is not taken for %s', async (_, other) => {
    const browser = world()
    await browser.signedIn()
    expect(await (await browser.tab(other)).restore()).toBeUndefined()
    await browser.restored()
  })

  it('is forgotten when the server does not take it any more', async () => {
    const browser = world()
    await browser.signedIn()
    browser.end()
    const tab = await browser.tab()
    expect(await tab.restore()).toBeUndefined()
    expect(await tab.restore()).toBeUndefined()
    expect(browser.forms.filter(({ grant_type }) => grant_type === 'refresh_token')).toHaveLength(1)
  })

  it('stays when the server cannot be reached', async () => {
    const browser = world()
    await browser.signedIn()
    browser.isCut = true
    await expectReason((await browser.tab()).restore(), 'connection_failed')
    browser.isCut = false
    await browser.restored()
  })

  it('ends with the page where there is no refresh token, and takes an older one with it', async () => {
    const browser = world()
    await browser.signedIn()
    browser.isWithoutRefresh = true
    const person = await browser.signedIn('bob')
    expect((await person.fetch(api)).status).toBe(200)
    expect(await (await browser.tab()).restore()).toBeUndefined()
  })
})

/** One browser, with a storage of its own, and the servers that it knows. */
function world({ rotates = false }: { readonly rotates?: boolean } = {}) {
  const indexedDB = new IDBFactory()
  const clock = { now: start }
  const key = generateTestKey('ES256')
  const name = crypto.randomUUID()
  const state = {
    clock,
    keys: [] as string[],
    forms: [] as Record<string, string>[],
    revoked: [] as string[],
    idTokens: [] as string[],
    isCut: false,
    isWithoutRefresh: false,
    current: '',
  }
  let count = 0
  let person = 'alice'
  let nonce = ''

  const granted = (jkt: string, json: object) =>
    Response.json({ access_token: jwt({ cnf: { jkt } }), token_type: 'DPoP', expires_in: 300, ...json })

  const tokens = (form: Record<string, string>, jkt: string): Response => {
    state.forms.push(form)
    if (form.grant_type === 'authorization_code') {
      const claims = { iss: issuer, sub: person, aud: 'page', iat: clock.now, exp: clock.now + 60, nonce }
      const id_token = signJwt({ alg: 'ES256' }, claims, key)
      state.idTokens.push(id_token)
      if (state.isWithoutRefresh) return granted(jkt, { id_token })
      state.current = `refresh-${++count}`
      return granted(jkt, { id_token, refresh_token: state.current })
    }
    if (form.refresh_token !== state.current) {
      state.current = ''
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    }
    if (rotates) state.current = `refresh-${++count}`
    return granted(jkt, rotates ? { refresh_token: state.current } : {})
  }

  const fetch: Fetch = async (input, init) => {
    if (state.isCut) throw new TypeError('fetch failed')
    const request = new Request(input, init)
    const { pathname } = new URL(request.url)
    const jwk = parseJwt(request.headers.get('dpop') ?? '')?.header.jwk
    if (jwk) state.keys.push(JSON.stringify(jwk))
    const form = Object.fromEntries(new URLSearchParams(await request.text()))
    if (pathname.startsWith('/.well-known')) return Response.json(metadata)
    if (pathname === '/jwks') return Response.json({ keys: [createPublicKey(key).export({ format: 'jwk' })] })
    if (pathname === '/token') return tokens(form, await thumbprint(jwk))
    if (pathname === '/revoke') state.revoked.push(form.token ?? '')
    return Response.json({})
  }

  const tab = async (options: Partial<BrowserSignInOptions> = {}) => {
    const store = await openKeyStore(name, { indexedDB })
    const about = { issuer, client_id: 'page', redirect_uri: home, scope: 'openid offline_access', store }
    return createBrowserSignIn({ ...about, ...options }, { fetch, now: () => clock.now })
  }

  /** What the browser brings back from the server. */
  const answer = async (begun: string | undefined): Promise<string> => {
    const { searchParams } = new URL(begun ?? '')
    nonce = searchParams.get('nonce') ?? ''
    return `${home}?code=code&iss=${issuer}&state=${searchParams.get('state')}`
  }

  return Object.assign(state, {
    tab,
    answer,
    end: () => {
      state.current = ''
    },
    signedIn: async (who = 'alice'): Promise<SignedInHere> => {
      person = who
      const here = await tab()
      const signedIn = await here.complete(await answer(await here.begin()))
      if (!signedIn) throw new Error('There was no answer.')
      return signedIn
    },
    restored: async (): Promise<SignedInHere> => {
      const restored = await (await tab()).restore()
      if (!restored) throw new Error('Nobody is signed in.')
      return restored
    },
  })
}

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  revocation_endpoint: `${issuer}/revoke`,
  end_session_endpoint: `${issuer}/sign-out`,
  jwks_uri: `${issuer}/jwks`,
  authorization_response_iss_parameter_supported: true,
}

async function thumbprint(jwk: unknown): Promise<string> {
  const { crv, kty, x, y } = jwk as Record<string, string>
  const text = new TextEncoder().encode(JSON.stringify({ crv, kty, x, y }))
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', text)))
}

function jwt(claims: object): string {
  const part = (value: object) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
  return `${part({ alg: 'ES256' })}.${part(claims)}.AAAA`
}

async function expectReason(call: Promise<unknown>, reason: string): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ reason })
}
