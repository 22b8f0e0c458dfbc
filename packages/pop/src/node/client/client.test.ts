import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientError } from '../../client/client-error.ts'
import {
  createStubIdentity,
  type Seen,
  type StubAnswer,
  type StubIdentity,
  type StubServer,
  startStub,
  stubMetadata,
  unsignedJwt,
} from '../../testing/stub-server.fixture.ts'
import { type CertificatePair, createClientCertificate } from '../certificates/make.ts'
import { createClient, type NodeClient, type NodeClientOptions } from './client.ts'

let identity: StubIdentity
let alice: CertificatePair
let bob: CertificatePair

beforeAll(async () => {
  identity = await createStubIdentity()
  alice = await createClientCertificate({ name: 'alice', keyType: 'P-256' })
  bob = await createClientCertificate({ name: 'bob', keyType: 'P-256' })
})

const open: { close(): Promise<void> }[] = []
afterAll(async () => {
  for (const one of open) await one.close()
})

describe('RFC 8705 a client that makes its certificate on the fly', () => {
  it('gets a token that is bound to the certificate and calls the API over it', async () => {
    const server = await start()
    const client = createClientOf(server)
    const { confirmation } = await client.token()
    const response = await client.fetch(`${server.origin}/identity`)
    const certificate = await client.certificate()
    expect(confirmation).toEqual({ 'x5t#S256': certificate?.thumbprint })
    expect(await response.json()).toEqual({ thumbprint: certificate?.thumbprint })
  })

  it('[C14] refuses a token that is not bound', async () => {
    const server = await start(({ path }, origin) => (path === '/token' ? token({}) : metadata(origin)))
    await expect(createClientOf(server).token()).rejects.toMatchObject({ reason: 'token_unbound' })
  })

  it('[C14] refuses a token that is bound to another certificate', async () => {
    const cnf = { 'x5t#S256': bob.thumbprint }
    const server = await start(({ path }, origin) => (path === '/token' ? token({ cnf }) : metadata(origin)))
    const client = createClientOf(server, { certificate: alice })
    await expect(client.token()).rejects.toMatchObject({ reason: 'token_bound_elsewhere' })
  })

  it('makes another certificate before its own ends, and asks for another token', async () => {
    const server = await start()
    const clock = { now: Math.floor(Date.now() / 1000) }
    const client = createClientOf(server, {}, { now: () => clock.now })
    const first = await client.certificate()
    clock.now += 9 * 86_400 - 1
    expect(await client.certificate()).toBe(first)
    clock.now += 1
    const { confirmation } = await client.token()
    const second = await client.certificate()
    expect(second?.thumbprint).not.toBe(first?.thumbprint)
    expect(confirmation?.['x5t#S256']).toBe(second?.thumbprint)
  })
})

describe('a certificate that the caller brings', () => {
  it('fails past its end with certificate_expired', async () => {
    const server = await start()
    const clock = { now: Math.floor(Date.now() / 1000) }
    const client = createClientOf(server, { certificate: alice }, { now: () => clock.now })
    const notAfter = (await client.certificate())?.notAfter ?? 0
    clock.now = notAfter
    await client.token()
    clock.now = notAfter + 1
    await expect(client.token()).rejects.toMatchObject({ reason: 'certificate_expired' })
  })

  it('is refused when the key is not its own', async () => {
    const server = await start()
    const client = createClientOf(server, { certificate: { certificate: alice.certificate, key: bob.key } })
    await expect(client.token()).rejects.toMatchObject({ reason: 'certificate_unusable' })
  })

  it('[C18] is replaced while calls run: each call brings the certificate that its token is bound to', async () => {
    const server = await start()
    const client = createClientOf(server, { certificate: alice })
    await client.token()
    const call = async () => (await client.fetch(`${server.origin}/identity`)).status
    const calls = Array.from({ length: 20 }, call)
    await new Promise((resolve) => setTimeout(resolve, 5))
    calls.push(client.useCertificate(bob).then(call), ...Array.from({ length: 20 }, call))
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]))
    const used = server.seen.filter(({ path }) => path === '/identity').map(({ thumbprint }) => thumbprint)
    expect(new Set(used)).toEqual(new Set([alice.thumbprint, bob.thumbprint]))
    expect(used.at(-1)).toBe(bob.thumbprint)
  })

  it('[C18] stays with a call that waits for its token when the next one comes', async () => {
    const asked = Promise.withResolvers<void>()
    const replaced = Promise.withResolvers<void>()
    const server = await start(async (seen, origin) => {
      if (seen.path === '/token') {
        asked.resolve()
        await replaced.promise
      }
      return good(seen, origin)
    })
    const client = createClientOf(server, { certificate: alice })
    const call = client.fetch(`${server.origin}/identity`)
    await asked.promise
    const retired = client.useCertificate(bob)
    replaced.resolve()
    expect((await call).status).toBe(200)
    await retired
    expect(server.seen.at(-1)?.thumbprint).toBe(alice.thumbprint)
  })

  it('may come from a function, which is asked again before its end; the same one again changes nothing', async () => {
    const server = await start()
    const due = new X509Certificate(alice.certificate).validToDate.getTime() / 1000 - 86_400
    const clock = { now: due - 1 }
    let given = alice
    const client = createClientOf(server, { certificate: () => given }, { now: () => clock.now })
    const tokens = () => server.seen.filter(({ path }) => path === '/token').length
    await client.token()
    clock.now = due
    await client.token()
    await client.token()
    expect(tokens()).toBe(1)
    given = bob
    expect((await client.token()).confirmation).toEqual({ 'x5t#S256': bob.thumbprint })
    expect(tokens()).toBe(2)
  })

  it('serves to its end while the function fails, and then the failure is told', async () => {
    const server = await start()
    const notAfter = new X509Certificate(alice.certificate).validToDate.getTime() / 1000
    const clock = { now: notAfter - 86_401 }
    const failure = new Error('no certificate today')
    let given = Promise.resolve(alice)
    const client = createClientOf(server, { certificate: () => given }, { now: () => clock.now })
    await client.token()
    given = Promise.reject(failure)
    clock.now = notAfter
    expect((await client.token()).confirmation).toEqual({ 'x5t#S256': alice.thumbprint })
    clock.now = notAfter + 1
    await expect(client.token()).rejects.toBe(failure)
  })

  it('goes before one that is still being made', async () => {
    const server = await start()
    const making = Promise.withResolvers<CertificatePair>()
    const client = createClientOf(server, { certificate: () => making.promise })
    const call = client.token()
    await client.useCertificate(bob)
    making.resolve(alice)
    expect((await call).confirmation).toEqual({ 'x5t#S256': bob.thumbprint })
  })

  it('stays when the next one cannot be used', async () => {
    const server = await start()
    const client = createClientOf(server, { certificate: alice })
    await client.token()
    expect(() => client.useCertificate({ certificate: 'x', key: 'y' })).toThrow(ClientError)
    expect((await client.certificate())?.thumbprint).toBe(alice.thumbprint)
  })
})

describe('two identities in one process', () => {
  it('[incident 35] never share a connection: 1000 interleaved calls, each answered with its own thumbprint', async () => {
    const server = await start()
    const clients = [createClientOf(server, { certificate: alice }), createClientOf(server, { certificate: bob })]
    const calls = Array.from({ length: 1000 }, async (_, at) => {
      const response = await clients[at % 2]?.fetch(`${server.origin}/identity`)
      return await response?.json()
    })
    const answers = await Promise.all(calls)
    const wanted = answers.map((_, at) => ({ thumbprint: at % 2 === 0 ? alice.thumbprint : bob.thumbprint }))
    expect(answers).toEqual(wanted)
    expect(server.seen.filter(({ path }) => path === '/token')).toHaveLength(2)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('never resume a session in %s', async (maxVersion) => {
    const close = { connection: 'close' }
    const server = await start((seen, origin) => ({ ...good(seen, origin), headers: close }), { maxVersion })
    const client = createClientOf(server)
    for (let i = 0; i < 4; i++) await client.fetch(`${server.origin}/identity`).then((response) => response.text())
    expect(server.seen.map(({ isResumed }) => isResumed)).toEqual(server.seen.map(() => false))
  })
})

describe('a server that goes away', () => {
  it('is found again after a restart, over fresh connections', async () => {
    const first = await start()
    const client = createClientOf(first)
    await client.fetch(`${first.origin}/identity`)
    await first.stop()
    await expect(client.fetch(`${first.origin}/identity`)).rejects.toMatchObject({ reason: 'connection_failed' })
    const second = await start(undefined, { port: first.port })
    expect((await client.fetch(`${second.origin}/identity`)).status).toBe(200)
    expect((await client.token({ scope: 'another' })).scope).toBe('another')
  })

  it.each(['GET', 'token request'])(
    'that dies under a %s and under idle connections is asked again over a fresh one',
    async (what) => {
      let dead = 0
      const server = await start(async (seen, origin) => {
        if (seen.connection <= dead) throw new Error('cut')
        const isSlow = seen.path === '/slow' || seen.form.get('scope') === 'slow'
        await new Promise((resolve) => setTimeout(resolve, isSlow ? 100 : 20))
        if (!isSlow || dead > 0) return good(seen, origin)
        dead = seen.connection
        throw new Error('cut')
      })
      const client = createClientOf(server)
      await client.token()
      const quick = client.fetch(`${server.origin}/identity`)
      const slow = what === 'GET' ? client.fetch(`${server.origin}/slow`) : client.token({ scope: 'slow' })
      await (await quick).text()
      await slow
      expect(server.seen.at(-1)?.connection).toBe(dead + 1)
    },
  )

  it('that cuts the connection of a POST leaves it at that, since the call may have been carried out', async () => {
    const server = await start((seen, origin) => {
      if (seen.method === 'POST' && seen.path === '/identity') throw new Error('cut')
      return good(seen, origin)
    })
    const client = createClientOf(server)
    await expect(client.fetch(`${server.origin}/identity`, { method: 'POST' })).rejects.toMatchObject({
      reason: 'connection_lost',
    })
    expect(server.seen.filter(({ path }) => path === '/identity')).toHaveLength(1)
  })

  it('[C16] that cuts every connection before it ever answers has probably rejected the certificate', async () => {
    const server = await start(() => {
      throw new Error('cut')
    })
    await expect(createClientOf(server).token()).rejects.toMatchObject({ reason: 'certificate_rejected' })
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('[C16] that rejects the certificate in %s', async (maxVersion) => {
    const server = await start(undefined, { maxVersion, rejectUnauthorized: true })
    await expect(createClientOf(server).token()).rejects.toMatchObject({ reason: 'certificate_rejected' })
  })
})

describe('[C19] a server that cannot be trusted', () => {
  it('is trusted when its authority is named', async () => {
    await createClientOf(await start()).token()
  })

  it.each([
    ['unknown authority', {}],
    ['another name', { dns: ['example.com'] }],
    ['expired', { notAfter: Math.floor(Date.now() / 1000) - 1 }],
    ['not for servers', { extendedKeyUsage: ['clientAuth' as const] }],
  ])('[RFC6749-10.9-2, RFC6749-10.3-3] is refused: %s', async (what, wrong) => {
    const bad = await createStubIdentity(wrong)
    const server = await startStub(bad, good)
    open.push({ close: server.stop })
    const ca = what === 'unknown authority' ? identity.ca : bad.ca
    const client = createClient({ issuer: server.origin, client_id: 'client', ca })
    open.push(client)
    await expect(client.token()).rejects.toMatchObject({ reason: 'server_untrusted' })
  })

  it('is refused whatever the environment says', async () => {
    const other = await createStubIdentity()
    const server = await start()
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      const client = createClientOf(server, { ca: other.ca })
      await expect(client.token()).rejects.toMatchObject({ reason: 'server_untrusted' })
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
  })

  it.each(['', 'no PEM', []])('is not tried with an empty or unreadable ca: %j', async (ca) => {
    const server = await start()
    await expect(createClientOf(server, { ca }).token()).rejects.toMatchObject({ reason: 'trust_malformed' })
  })
})

describe('closing', () => {
  it('lets running calls end and refuses new ones', async () => {
    const server = await start()
    const client = createClientOf(server)
    const running = client.fetch(`${server.origin}/identity`)
    await client.token()
    await client.close()
    expect((await running).status).toBe(200)
    await expect(client.token()).rejects.toMatchObject({ reason: 'client_closed' })
    expect(() => client.useCertificate(alice)).toThrow(expect.objectContaining({ reason: 'client_closed' }))
  })
})

async function start(
  answer: Parameters<typeof startStub>[1] = good,
  options: Parameters<typeof startStub>[2] = {},
): Promise<StubServer> {
  const server = await startStub(identity, answer, options)
  open.push({ close: server.stop })
  return server
}

function createClientOf(
  { origin }: StubServer,
  options: Partial<NodeClientOptions> = {},
  context: Parameters<typeof createClient>[1] = {},
): NodeClient {
  const certificate = () => createClientCertificate({ name: 'client', keyType: 'P-256' }, context)
  const client = createClient(
    { issuer: origin, client_id: 'client', ca: identity.ca, certificate, ...options },
    context,
  )
  open.unshift(client)
  return client
}

/** Binds tokens to the certificate of the connection, and checks them at its API. */
function good({ path, form, thumbprint, authorization }: Seen, origin: string): StubAnswer {
  switch (path) {
    case '/token':
      return token({ cnf: { 'x5t#S256': thumbprint } }, form.get('scope') ?? undefined)
    case '/identity': {
      const claims = JSON.parse(Buffer.from(authorization?.split('.')[1] ?? 'e30', 'base64url').toString())
      return { status: claims.cnf?.['x5t#S256'] === thumbprint ? 200 : 403, body: { thumbprint } }
    }
    default:
      return metadata(origin)
  }
}

function token(claims: object, scope?: string): StubAnswer {
  return { body: { access_token: unsignedJwt(claims), token_type: 'Bearer', expires_in: 300, scope } }
}

function metadata(origin: string): StubAnswer {
  return { body: stubMetadata(origin) }
}
