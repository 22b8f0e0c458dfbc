import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { createBrowserSignIn, openKeyStore } from '@holdfast/pop/client'
import {
  createClient,
  createProofKey,
  createSignIn,
  keyFile,
  MutualTls,
  type NodeClient,
  type NodeClientOptions,
  none,
  type SignedIn,
  type SignInOptions,
  selfSignedTlsClientAuth,
  signIn,
} from '@holdfast/pop/client/node'
import { clientCertificateTlsOptions, createGuard, protect } from '@holdfast/pop/resource/node'
import { IDBFactory } from 'fake-indexeddb'
import { exportJWK, importX509 } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startPeopleServer } from './authorized.ts'
import { claimsOf, type Harness, api as identifier } from './harness.ts'
import { walk } from './walker.ts'

interface Api {
  readonly origin: string
  /** Of each request: how it was answered, and how much of its body had come by then. */
  readonly served: { readonly status: number; readonly size: number }[]
  readonly close: () => Promise<void>
}

const home = 'https://app.test/'
const scope = 'openid offline_access api1'
let server: Harness
let pinned: CertificatePair
let plain: Api
let strict: Api
const directory = mkdtempSync(join(tmpdir(), 'holdfast-dpop-client-'))
const open: { close: () => Promise<void> }[] = []

beforeAll(async () => {
  pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })
  const jwk = await exportJWK(await importX509(pinned.certificate, 'ES256', { extractable: true }))
  const x5c = [pinned.certificate.replace(/-----.*?-----|\s/g, '')]
  server = await startPeopleServer((settings) => ({
    ...settings,
    clients: [
      ...(settings.clients ?? []),
      { client_id: 'nonces', client_secret: 'secret', scope: 'api1', dpop_nonces: 'required' },
      { client_id: 'on-skew', client_secret: 'secret', scope: 'api1', dpop_nonces: 'on-skew' },
      { client_id: 'off', client_secret: 'secret', scope: 'api1', dpop: 'off' },
      {
        client_id: 'pinned',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [{ ...jwk, kty: 'EC', x5c }] },
        scope: 'api1',
      },
      {
        client_id: 'page',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [home],
        post_logout_redirect_uris: [home],
        dpop_bound_access_tokens: true,
        dpop_nonces: 'required',
        scope,
      },
    ],
  }))
  plain = await startApi({})
  strict = await startApi({ nonces: 'required' })
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await Promise.all([plain.close(), strict.close()])
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('RFC 9449 a client that binds its tokens by DPoP, with our server and our guard', () => {
  it('[RFC9449-4.1-1, RFC9449-5-1, RFC9449-7-1] makes a key on the fly, and calls the API by it', async () => {
    const client = clientOf({})
    const token = await client.token()
    expect(token.token_type).toBe('DPoP')
    expect(Object.keys(claimsOf(token.access_token).cnf)).toEqual(['jkt'])
    const response = await client.fetch(`${plain.origin}/things?page=1`)
    expect([response.status, await response.json()]).toEqual([200, token.confirmation])
    expect(await client.certificate()).toBeUndefined()
  })

  it.each(['ES256', 'ES384', 'ES512', 'PS256', 'Ed25519', 'EdDSA', 'ML-DSA-44', 'ML-DSA-65'] as const)(
    'does so by a key of %s, where the server takes it',
    async (alg) => {
      const taken = ['ES256', 'PS256', 'Ed25519', 'EdDSA', 'ML-DSA-44', 'ML-DSA-65']
      const asked = clientOf({ proofKey: () => createProofKey(alg) }).fetch(plain.origin)
      if (taken.includes(alg)) expect((await asked).status).toBe(200)
      else await expect(asked).rejects.toMatchObject({ error: 'invalid_dpop_proof' })
    },
  )

  it('asks for its key once, and again where that failed', async () => {
    let asked = 0
    const client = clientOf({
      proofKey: async () => {
        if (asked++ === 0) throw new Error('locked')
        return await createProofKey()
      },
    })
    await expect(client.token()).rejects.toThrow('locked')
    const { confirmation } = await client.token()
    expect((await client.renew()).confirmation).toEqual(confirmation)
    expect(asked).toBe(2)
  })

  it('does so with a reference token', async () => {
    const client = clientOf({ client_id: 'reference' })
    expect((await client.fetch(plain.origin)).status).toBe(200)
    expect((await client.token()).confirmation).toBeUndefined()
  })

  it('[RFC9449-8-4, RFC9449-8.2-2, RFC9449-9-3] learns the nonces of server and API, and needs no more than one refusal of each', async () => {
    const before = strict.served.length
    const client = clientOf({ client_id: 'nonces' })
    for (let call = 0; call < 3; call++) expect((await client.fetch(strict.origin)).status).toBe(200)
    await client.renew()
    expect(strict.served.slice(before).map(({ status }) => status)).toEqual([401, 200, 200, 200])
  })

  it('[RFC9449-4.1-2] 64 calls at once are all admitted', async () => {
    const before = strict.served.length
    const client = clientOf({ client_id: 'nonces' })
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => client.fetch(`${strict.origin}/${at}`)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(strict.served.length - before).toBeLessThanOrEqual(128)
  })

  it.each([
    ['client', 600],
    ['client', -600],
    ['on-skew', 600],
    ['nonces', -600],
  ])('[C24] client %s calls with a clock that is %i s off', async (client_id, off) => {
    const now = () => Math.floor(Date.now() / 1000) + off
    const client = clientOf({ client_id }, now)
    expect((await client.fetch(plain.origin)).status).toBe(200)
    expect((await client.fetch(strict.origin)).status).toBe(200)
  })

  it.each([
    ['short', 1000],
    ['empty', 0],
  ])('sends a stream again when a nonce was missing, where it is %s', async (_, size) => {
    const before = strict.served.length
    const client = clientOf({})
    await client.token()
    expect((await client.fetch(strict.origin, streamed(size))).status).toBe(200)
    expect(strict.served.slice(before).map(({ status }) => status)).toEqual([401, 200])
    expect(strict.served.at(-1)?.size).toBe(size)
  })

  it('sends a long stream once, says so, and passes the next time', async () => {
    const client = clientOf({})
    const long = 2_000_000
    await expect(client.fetch(strict.origin, streamed(long))).rejects.toMatchObject({ reason: 'body_not_repeatable' })
    expect((await client.fetch(strict.origin, streamed(long))).status).toBe(200)
    expect(strict.served.at(-1)).toEqual({ status: 200, size: long })
  })

  it('[RFC9449-5-9] [C07] takes no token from a server that does not bind it', async () => {
    const asked = clientOf({ client_id: 'off' }).token()
    await expect(asked).rejects.toMatchObject({ reason: 'request_refused' })
  })

  it('authenticates by its certificate, and binds by DPoP', async () => {
    const authentication = selfSignedTlsClientAuth()
    const client = clientOf({ client_id: 'pinned', authentication, certificate: pinned })
    const token = await client.token()
    expect(token.token_type).toBe('DPoP')
    expect((await client.certificate())?.thumbprint).toBe(pinned.thumbprint)
    expect((await client.fetch(plain.origin)).status).toBe(200)
  })

  it('goes over to another certificate, before and after its first call, with the same key', async () => {
    const authentication = selfSignedTlsClientAuth()
    const client = clientOf({ client_id: 'pinned', authentication })
    await client.useCertificate(pinned)
    const first = await client.token()
    await client.useCertificate(pinned)
    expect((await client.renew()).confirmation).toEqual(first.confirmation)
  })

  it('gives no thief anything: token and certificate without the key are refused', async () => {
    const { access_token } = await clientOf({}).token()
    const thief = new MutualTls({ ca: server.ca })
    for (const scheme of ['DPoP', 'Bearer']) {
      const response = await thief.fetch(plain.origin, { headers: { authorization: `${scheme} ${access_token}` } })
      expect(response.status).toBe(401)
    }
    await thief.close()
  })
})

describe('RFC 9449 §5, §10 somebody who signs in, with DPoP', () => {
  it('[RFC9449-5-7] goes on after a restart without a browser, by the same key out of the key file', async () => {
    const file = join(directory, 'alice.key')
    const keyStore = () => keyFile(file, { key: new Uint8Array(32).fill(7) })
    const first = await signedIn({ keyStore: keyStore() })
    const before = (await first.token()).confirmation
    expect(Object.keys(before ?? {})).toEqual(['jkt'])
    await first.close()
    expect(readFileSync(file, 'utf8')).not.toContain('PRIVATE KEY')
    const second = await signedIn({ keyStore: keyStore(), open: refuse })
    expect((await second.refresh()).confirmation).toEqual(before)
    expect((await second.userinfo()).sub).toBe('user:alice')
    expect((await second.fetch(strict.origin)).status).toBe(200)
  })

  it('signs in again where what was kept is bound to a certificate', async () => {
    const keyStore = keyFile(join(directory, 'other.key'), { key: new Uint8Array(32).fill(7) })
    await signedIn({ keyStore, binding: 'certificate' })
    await expect(signedIn({ keyStore, open: refuse })).rejects.toThrow('a browser was opened')
    expect((await (await signedIn({ keyStore })).token()).token_type).toBe('DPoP')
  })

  it('with a key of its own signs in by that', async () => {
    const proofKey = await createProofKey('Ed25519')
    expect((await (await signedIn({ proofKey })).token()).token_type).toBe('DPoP')
  })

  it('[T105] [RFC9449-10-3] gives a code that no other key redeems, and that is not used up by who tries', async () => {
    const proofKey = await createProofKey()
    const owner = clientOf({ ...native, proofKey })
    const thief = clientOf(native)
    const { url, ...pending } = await owner.authorize({ redirect_uri: 'http://127.0.0.1:7/callback', scope })
    const answer = new URL(await walk(server, url)).searchParams
    await expect(thief.redeem(answer, pending)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect((await owner.redeem(answer, pending)).claims?.sub).toBe('user:alice')
  })

  it('to a web application gets tokens that are bound to the key of its back end', async () => {
    const client = clientOf({ client_id: 'web' })
    const web = createSignIn({ client, redirect_uri: 'https://web.test/callback', scope })
    const { headers } = await web.begin()
    const cookie = headers['set-cookie'].split(';')[0] ?? ''
    const { session } = await web.callback({ url: await walk(server, headers.location), headers: { cookie } })
    expect((await client.token({ session })).token_type).toBe('DPoP')
    expect((await client.fetch(strict.origin, {}, { session })).status).toBe(200)
  })

  it('on a page calls the API, is loaded again, calls again with the same key, and signs out', async () => {
    const indexedDB = new IDBFactory()
    const connections = new MutualTls({ ca: server.ca })
    open.push(connections)
    const load = async () => {
      const store = await openKeyStore('page', { indexedDB })
      const options = { issuer: server.issuer, client_id: 'page', redirect_uri: home, scope, store }
      return createBrowserSignIn(options, { fetch: connections.fetch })
    }
    const page = await load()
    const first = found(await page.complete(await walk(server, await page.begin())))
    expect((await first.fetch(strict.origin)).status).toBe(200)
    const again = found(await (await load()).restore())
    expect(again.claims?.sub).toBe('user:alice')
    expect((await again.fetch(strict.origin)).status).toBe(200)
    expect((await again.token()).confirmation).toEqual((await first.token()).confirmation)
    expect(await again.signOut(home)).toContain(`${server.issuer}/sign-out?client_id=page`)
    expect(await (await load()).restore()).toBeUndefined()
    await expect(first.refresh()).rejects.toMatchObject({ reason: 'sign_in_required' })
  })
})

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('Nobody is signed in.')
  return value
}

/** A client that is closed after the test. */
function clientOf(options: Partial<NodeClientOptions>, now?: () => number): NodeClient {
  const { issuer, ca } = server
  const secret = options.authentication ? {} : { client_secret: 'secret' }
  const client = createClient(
    { issuer, client_id: 'client', scope: 'api1', binding: 'dpop', ca, ...secret, ...options },
    now && { now },
  )
  open.push(client)
  return client
}

const native: Partial<NodeClientOptions> = { client_id: 'native', authentication: none() }

async function signedIn(options: Partial<SignInOptions>): Promise<SignedIn> {
  const about = { issuer: server.issuer, client_id: 'native', scope, binding: 'dpop', ca: server.ca } as const
  const browse = async (url: string) => {
    await fetch(await walk(server, url)).then((response) => response.text())
  }
  const person = await signIn({ ...about, open: browse, ...options })
  open.push(person)
  return person
}

function refuse(): never {
  throw new Error('a browser was opened')
}

function streamed(size: number): RequestInit {
  let left = size
  const body = new ReadableStream({
    pull: (controller) => {
      const length = Math.min(left, 50_000)
      left -= length
      if (length > 0) controller.enqueue(new Uint8Array(length))
      else controller.close()
    },
  })
  const init: object = { method: 'POST', body, duplex: 'half' }
  return init
}

/** An API behind our guard, on a socket of its own. It reads every body to its end. */
async function startApi(dpop: { readonly nonces?: 'required' }): Promise<Api> {
  const authority = new MutualTls({ ca: server.ca })
  const pair = server.settings.listen.public
  const listener = createServer({
    ...clientCertificateTlsOptions,
    cert: String(pair.certificate),
    key: String(pair.key),
  })
  await new Promise<void>((resolve) => listener.listen(0, 'localhost', resolve))
  const origin = `https://localhost:${(listener.address() as AddressInfo).port}`
  const introspection = { client_id: 'api1', client_secret: 'api1-secret', cache: 0 }
  const guard = createGuard(
    { issuer: server.issuer, identifier, origin, introspection, dpop },
    { fetch: authority.fetch, report: () => undefined },
  )
  const read = new WeakMap<IncomingMessage, Promise<unknown>>()
  const handler = protect(guard, async (request: IncomingMessage, response: ServerResponse, { token }) => {
    await read.get(request)
    response.end(JSON.stringify(token.confirmation))
  })
  const served: { status: number; size: number }[] = []
  listener.on('request', (request, response) => {
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    read.set(request, new Promise((resolve) => request.on('end', resolve)))
    response.on('finish', () => served.push({ status: response.statusCode, size }))
    handler(request, response)
  })
  const close = async () => {
    const closed = new Promise((resolve) => listener.close(resolve))
    listener.closeAllConnections()
    await Promise.all([closed, authority.close()])
  }
  return { origin, served, close }
}
