import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { createClient, keyFile, type SignedIn, type SignInOptions, signIn } from '@holdfast/pop/client/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { introspected, peopleClients, startPeopleServer } from './authorized.ts'
import { claimsOf, type Harness } from './harness.ts'
import { type Person, walk } from './walker.ts'

let server: Harness
const directory = mkdtempSync(join(tmpdir(), 'holdfast-login-'))
const file = join(directory, 'alice.json')
const open: SignedIn[] = []

beforeAll(async () => {
  server = await startPeopleServer((settings) => ({
    ...settings,
    clients: [
      ...(settings.clients ?? []),
      { ...native, client_id: 'native-v6', redirect_uris: ['http://[::1]/callback'] },
    ],
  }))
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  rmSync(file, { force: true })
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('RFC 8252 signing in to a native application', () => {
  it('gives a token that is bound to the certificate that was made on the fly, and says who signed in', async () => {
    const shown: string[] = []
    const alice = await login({}, {}, shown)
    const { access_token, confirmation } = await alice.token()
    const { thumbprint } = (await alice.certificate()) ?? {}
    expect(confirmation).toEqual({ 'x5t#S256': thumbprint })
    expect(claimsOf(access_token)).toMatchObject({ sub: 'user:alice', client_id: 'native', scope: allScopes })
    expect(alice.claims).toMatchObject({ iss: server.issuer, sub: 'user:alice', aud: 'native' })
    expect(shown).toEqual([expect.stringContaining('You are signed in')])
  })

  it('[RFC9126-2.1] pushes the request: the address tells nothing but its reference', async () => {
    const addresses: string[] = []
    await login({ open: (url) => void addresses.push(url) }, {})
    const names = addresses.flatMap((url) => [...new URL(url).searchParams.keys()])
    expect(names).toEqual(['client_id', 'request_uri'])
  })

  it.each(['127.0.0.1', '[::1]'] as const)('comes back to %s on a port that the system gave', async (host) => {
    const seen: string[] = []
    await login({ host, client_id: host === '[::1]' ? 'native-v6' : 'native' }, {}, [], seen)
    expect(seen).toEqual([expect.stringMatching(`^http://${host.replace(/[[\].]/g, '\\$&')}:\\d+/callback\\?`)])
  })

  it('signs in without a certificate when no binding is asked for', async () => {
    const alice = await login({ binding: 'none' })
    expect((await alice.token()).confirmation).toBeUndefined()
    await alice.refresh()
    await alice.refresh()
  })

  it('tells the application that the person declined, and the person that it did not work', async () => {
    const shown: string[] = []
    await expect(login({ prompt: 'consent' }, { decision: 'deny' }, shown)).rejects.toMatchObject({
      reason: 'authorization_refused',
      error: 'access_denied',
    })
    expect(shown).toEqual([expect.stringContaining('That did not work')])
  })

  it('stops waiting in time, and when it is told to', async () => {
    await expect(wait({ patience: 0.05 })).rejects.toMatchObject({ reason: 'authorization_expired' })
    const reason = new Error('enough')
    await expect(wait({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('ends with the reason why no browser was opened', async () => {
    const reason = new Error('no browser here')
    await expect(wait({ open: () => Promise.reject(reason) })).rejects.toBe(reason)
  })
})

describe('RFC 8252 §8 what else knocks at the loopback address', () => {
  /** Signs in, and does something to the callback address before the browser comes to it. */
  const disturbed = async (disturb: (callback: URL) => Promise<void>) => {
    const alice = await signIn({
      ...base(),
      open: async (url) => {
        const callback = new URL(await walk(server, url))
        await disturb(callback)
        await fetch(callback).then((response) => response.text())
      },
    })
    open.push(alice)
    return alice
  }

  it.each([
    ['[C11] without a state', 'state', undefined],
    ['[C11] with another state', 'state', 'x'.repeat(43)],
  ])('is turned away and the sign-in goes on: %s', async (_, name, value) => {
    const alice = await disturbed(async (callback) => {
      const forged = new URL(callback)
      forged.searchParams.delete(name)
      if (value !== undefined) forged.searchParams.set(name, value)
      expect((await fetch(forged)).status).toBe(400)
    })
    expect(alice.claims?.sub).toBe('user:alice')
  })

  it('is turned away at another path, by another method and under another name', async () => {
    const alice = await disturbed(async (callback) => {
      expect((await fetch(new URL('/favicon.ico', callback))).status).toBe(404)
      expect((await fetch(callback, { method: 'POST' })).status).toBe(405)
      const elsewhere = new URL(callback)
      elsewhere.hostname = 'localhost'
      expect((await fetch(elsewhere)).status).toBe(404)
    })
    expect(alice.claims?.sub).toBe('user:alice')
  })

  it('[C11] gets nothing when it brings the answer a second time', async () => {
    const statuses: number[] = []
    const alice = await signIn({
      ...base(),
      open: async (url) => {
        const callback = await walk(server, url)
        const both = await Promise.all([fetch(callback), fetch(callback)])
        statuses.push(...both.map(({ status }) => status))
      },
    })
    open.push(alice)
    await expect.poll(() => statuses.toSorted()).toEqual([200, 410])
  })

  it.each([
    ['[C12] without iss', (query: URLSearchParams) => query.delete('iss'), 'issuer_missing'],
    [
      '[C12] from another server',
      (query: URLSearchParams) => query.set('iss', 'https://evil.example'),
      'issuer_unexpected',
    ],
    ['[C13] with code and error', (query: URLSearchParams) => query.set('error', 'x'), 'answer_ambiguous'],
    ['[C13] with two codes', (query: URLSearchParams) => query.append('code', 'x'), 'parameter_repeated'],
  ])('ends the sign-in and asks for no token: %s', async (_, change, reason) => {
    const before = codesRedeemed()
    const asked = signIn({
      ...base(),
      open: async (url) => {
        const callback = new URL(await walk(server, url))
        change(callback.searchParams)
        await fetch(callback)
      },
    })
    await expect(asked).rejects.toMatchObject({ reason })
    expect(codesRedeemed()).toBe(before)
  })
})

describe('RFC 8705 §4 a key that is kept', () => {
  const lock = { key: crypto.getRandomValues(new Uint8Array(32)) }
  const keyStore = () => keyFile(file, lock)

  it('signs in once, and goes on after a restart without a browser, with the same certificate', async () => {
    const first = await login({ keyStore: keyStore() })
    const before = await first.certificate()
    await first.close()
    const second = await again({ keyStore: keyStore() })
    expect((await second.certificate())?.thumbprint).toBe(before?.thumbprint)
    expect(second.claims).toMatchObject({ sub: 'user:alice' })
    expect((await second.refresh()).confirmation).toEqual({ 'x5t#S256': before?.thumbprint })
  })

  it('[T75] goes on with a certificate that was renewed with the same key', async () => {
    const first = await login({ keyStore: keyStore() })
    const before = await first.certificate()
    await first.close()
    const now = () => Math.floor(Date.now() / 1000) + 9 * 86_400 + 60
    server.advance(9 * 86_400 + 60)
    const second = await again({ keyStore: keyStore() }, { now })
    const after = await second.certificate()
    expect(after?.thumbprint).not.toBe(before?.thumbprint)
    expect((await second.token()).confirmation).toEqual({ 'x5t#S256': after?.thumbprint })
    server.advance(-9 * 86_400 - 60)
  })

  it('keeps nothing that can be read', async () => {
    const alice = await login({ keyStore: keyStore() })
    const text = readFileSync(file, 'utf8')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    for (const secret of [alice.session.refresh_token ?? '', 'PRIVATE KEY', 'user:alice'])
      expect(text).not.toContain(secret)
  })

  it('follows a refresh token that is replaced', async () => {
    const first = await login({ keyStore: keyStore(), binding: 'none' })
    for (let times = 0; times < 3; times++) await first.refresh()
    await first.close()
    const second = await again({ keyStore: keyStore(), binding: 'none' })
    await second.refresh()
  })

  it.each([
    ['another key', () => keyFile(file, { key: new Uint8Array(32) })],
    ['a passphrase', () => keyFile(file, { passphrase: 'guess' })],
  ])('opens to nobody with %s', async (_, other) => {
    await login({ keyStore: keyStore() })
    await expect(again({ keyStore: other() })).rejects.toMatchObject({ reason: 'key_file_unusable' })
  })

  it('is refused when a byte of it was changed', async () => {
    await login({ keyStore: keyStore() })
    const text = readFileSync(file, 'utf8')
    const at = text.indexOf('"sealed":"') + 60
    writeFileSync(file, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`)
    await expect(again({ keyStore: keyStore() })).rejects.toMatchObject({ reason: 'key_file_unusable' })
  })

  it('takes a passphrase in place of a key', async () => {
    const typed = (passphrase: string) => keyFile(file, { passphrase })
    await (await login({ keyStore: typed('correct horse') })).close()
    await again({ keyStore: typed('correct horse') })
    await expect(again({ keyStore: typed('correct house') })).rejects.toMatchObject({ reason: 'key_file_unusable' })
  })

  it('[RFC7009-2.1] is gone after the sign-out, and the server takes its tokens no more', async () => {
    const alice = await login({ keyStore: keyStore() })
    const { access_token } = await alice.token()
    await alice.revoke()
    expect(await introspected(server, access_token)).toEqual({ active: false })
    await expect(alice.token()).rejects.toMatchObject({ reason: 'sign_in_required' })
    await expect(again({ keyStore: keyStore() })).rejects.toThrow('a browser was opened')
  })

  it('opens the browser again for another scope, and when the server does not take it any more', async () => {
    const alice = await login({ keyStore: keyStore() })
    await expect(again({ keyStore: keyStore(), scope: 'openid api1' })).rejects.toThrow('a browser was opened')
    await server.post('/revoke', { client_id: 'native', token: alice.session.refresh_token })
    await expect(again({ keyStore: keyStore() })).rejects.toThrow('a browser was opened')
  })
})

describe('[T74] a thief', () => {
  it('cannot redeem the code with a certificate of their own, and the owner still can', async () => {
    const thief = createClient({
      ...base(),
      certificate: () => createClientCertificate({ name: 'native', keyType: 'P-256' }),
    })
    const owner = createClient({
      ...base(),
      certificate: () => createClientCertificate({ name: 'native', keyType: 'P-256' }),
    })
    const { url, ...pending } = await owner.authorize({
      redirect_uri: 'http://127.0.0.1:7/callback',
      scope: 'openid api1',
    })
    const answer = new URL(await walk(server, url)).searchParams
    await expect(thief.redeem(answer, pending)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect((await owner.redeem(answer, pending)).claims?.sub).toBe('user:alice')
    await Promise.all([thief.close(), owner.close()])
  })

  it('cannot use the refresh token with another key, or with none', async () => {
    const alice = await login({})
    for (const binding of ['certificate', 'none'] as const) {
      const thief = createClient({ ...base(), binding })
      await expect(thief.token({ session: alice.session })).rejects.toMatchObject({ reason: 'sign_in_required' })
      await thief.close()
    }
    await alice.refresh()
  })
})

const allScopes = 'openid profile offline_access api1'
const [native] = peopleClients.filter(({ client_id }) => client_id === 'native')

function base(): SignInOptions {
  return { issuer: server.issuer, client_id: 'native', scope: allScopes, ca: server.ca }
}

/** Signs in through the pages. `shown` gets the last page, `seen` where the browser was sent. */
async function login(
  options: Partial<SignInOptions> = {},
  person: Person = {},
  shown: string[] = [],
  seen: string[] = [],
): Promise<SignedIn> {
  let page: Promise<unknown> | undefined
  const openPage = async (url: string) => {
    await options.open?.(url)
    const location = await walk(server, url, person)
    seen.push(location)
    page = fetch(location).then(async (response) => shown.push(await response.text()))
  }
  try {
    const alice = await signIn({ ...base(), ...options, open: openPage })
    open.push(alice)
    return alice
  } finally {
    await page
  }
}

/** Signs in where no browser may be needed. */
async function again(options: Partial<SignInOptions>, context?: Parameters<typeof signIn>[1]): Promise<SignedIn> {
  const refuse = () => {
    throw new Error('a browser was opened')
  }
  const alice = await signIn({ ...base(), ...options, open: refuse }, context)
  open.push(alice)
  return alice
}

/** Waits for a browser that never comes. */
function wait(options: Partial<SignInOptions>): Promise<SignedIn> {
  return signIn({ ...base(), open: () => undefined, ...options })
}

function codesRedeemed(): number {
  const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { readOnly: true })
  try {
    return Number(database.prepare('select count(*) as count from code where redeemed is not null').get()?.count)
  } finally {
    database.close()
  }
}
