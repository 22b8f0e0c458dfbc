import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import { type DpopOptions, type GuardOptions, type GuardReport, renderVerdict } from '@holdfast/pop/resource'
import {
  clientCertificateTlsOptions,
  createGuard,
  createSqliteReplay,
  protect,
  type SqliteReplay,
} from '@holdfast/pop/resource/node'
import { createTestProofKey, type ListeningIssuer, signProof, startTestIssuer } from '@holdfast/pop/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, api, freePort, type Harness, startServer } from './harness.ts'

let server: Harness
let outgoing: MutualTls
let holder: CertificatePair
const key = createTestProofKey()
const thief = createTestProofKey()
const directory = mkdtempSync(join(tmpdir(), 'holdfast-api-'))
const now = () => Math.floor(Date.now() / 1000)

beforeAll(async () => {
  server = await startServer()
  outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
  holder = await createClientCertificate({ name: 'client', keyType: 'P-256' })
})
afterAll(async () => {
  await outgoing.close()
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

const open: Server[] = []
const memories: SqliteReplay[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await new Promise((closed) => each.close(closed))
  for (const each of memories.splice(0)) each.close()
})

/** An API behind a guard, and the refusals that it reported. */
interface Api {
  readonly port: number
  readonly reports: GuardReport[]
}

async function startApi(options: Partial<GuardOptions> = {}): Promise<Api> {
  const reports: GuardReport[] = []
  const introspection = { client_id: 'api1', client_secret: 'api1-secret', cache: 0 }
  const guard = createGuard(
    { issuer: server.issuer, identifier: api, introspection, ...options },
    { fetch: outgoing.fetch, report: (each) => reports.push(each) },
  )
  const { certificate: cert = '', key: privateKey = '' } = server.settings.listen.public
  const listening = createServer(
    { ...clientCertificateTlsOptions, cert, key: privateKey },
    protect(guard, (_, response, { token }) => response.end(JSON.stringify(token.confirmation))),
  )
  await new Promise<void>((listens) => listening.listen(0, '127.0.0.1', listens))
  open.push(listening)
  // as: a TCP server that listens has an address of this kind.
  return { port: (listening.address() as AddressInfo).port, reports }
}

/** A token of the server that is bound to the key. */
async function tokenOf(client_id = 'client', by = key): Promise<string> {
  const proof = signProof(by, { method: 'POST', url: `${server.issuer}/token`, now: now() })
  const { json } = await server.token({ client_id }, { headers: { dpop: proof } })
  expect(json.token_type).toBe('DPoP')
  return json.access_token
}

function proofOf(token: string, changes: Partial<Parameters<typeof signProof>[1]> = {}, by = key): string {
  return signProof(by, { method: 'GET', url: `${api}/identity`, accessToken: token, now: now(), ...changes })
}

interface Called {
  readonly scheme?: string
  /** Every DPoP header; a fresh one when left out. */
  readonly proofs?: readonly string[]
  readonly path?: string
  readonly certificate?: CertificatePair
}

function call({ port }: Pick<Api, 'port'>, token: string, called: Called = {}): Promise<Answer> {
  const { scheme = 'DPoP', proofs = [proofOf(token)], path = '/identity', certificate } = called
  const headers = { authorization: `${scheme} ${token}`, ...(proofs.length > 0 && { dpop: proofs }) }
  return server.send({ on: port, method: 'GET', path, headers, ...(certificate && { certificate }) })
}

describe.each(['client', 'reference'])('RFC 9449 §7 an API, with a token of %s', (client) => {
  it('[RFC9449-7.1-2] [RFC9449-6-1] admits who has shown the key of the token, and each proof once', async () => {
    const guarded = await startApi()
    const token = await tokenOf(client)
    const proofs = [proofOf(token)]
    const first = await call(guarded, token, { proofs })
    expect([first.status, first.json]).toEqual([200, { jkt: key.thumbprint }])
    const second = await call(guarded, token, { proofs })
    expect([second.status, second.json.error]).toEqual([401, 'invalid_dpop_proof'])
    expect(guarded.reports.at(-1)).toMatchObject({ event: 'refused', reason: 'dpop_replayed', rule: 'RFC9449-11.1' })
    expect((await call(guarded, token)).status, 'still serves').toBe(200)
  })

  it.each<[string, Called | ((token: string) => Called), string, string, string]>([
    ['[S08] [RFC9449-7.1-2] no proof', { proofs: [] }, 'DPoP', 'invalid_dpop_proof', 'dpop_missing'],
    [
      '[S08] [RFC9449-4.3-1] two proofs',
      (token) => ({ proofs: [proofOf(token), proofOf(token)] }),
      'DPoP',
      'invalid_dpop_proof',
      'dpop_repeated',
    ],
    [
      '[S09] [RFC9449-6-2] a proof by another key',
      (token) => ({ proofs: [proofOf(token, {}, thief)] }),
      'DPoP',
      'invalid_token',
      'confirmation_proof_differs',
    ],
    [
      '[S10] [RFC9449-4.3-12] a proof for another token',
      () => ({ proofs: [proofOf('another')] }),
      'DPoP',
      'invalid_dpop_proof',
      'dpop_token_differs',
    ],
    [
      '[S12] [RFC9449-4.3-9] a proof for the token endpoint',
      (token) => ({ proofs: [proofOf(token, { method: 'POST', url: `${server.issuer}/token` })] }),
      'DPoP',
      'invalid_dpop_proof',
      'dpop_method_differs',
    ],
    [
      '[S12] [RFC9449-4.3-9] a proof for another address of the API',
      (token) => ({ proofs: [proofOf(token, { url: `${api}/identity/2` })] }),
      'DPoP',
      'invalid_dpop_proof',
      'dpop_url_differs',
    ],
    [
      '[S11] [RFC9449-11.1-1] a proof of two minutes ago',
      (token) => ({ proofs: [proofOf(token, { now: now() - 120 })] }),
      'DPoP',
      'invalid_dpop_proof',
      'dpop_stale',
    ],
    [
      '[S05] [RFC9449-7.2-1] [RFC9449-7.2-3] the token as Bearer',
      { scheme: 'Bearer' },
      'Bearer',
      'invalid_token',
      'token_is_dpop',
    ],
  ])(
    '[RFC9449-7.1-3] [RFC9449-7.1-4] [RFC9449-7.1-5] [RFC9449-7.1-6] refuses %s',
    async (_, called, scheme, error, reason) => {
      const guarded = await startApi()
      const token = await tokenOf(client)
      const answer = await call(guarded, token, typeof called === 'function' ? called(token) : called)
      expect([answer.status, answer.json.error]).toEqual([401, error])
      const challenge = String(answer.headers['www-authenticate'])
      expect(challenge).toMatch(new RegExp(`^${scheme} error="${error}"`))
      expect(challenge).toContain('algs="ES256 EdDSA Ed25519 PS256 ML-DSA-44 ML-DSA-65"')
      expect(challenge.match(/error=/g)).toHaveLength(1)
      expect(challenge.includes('Bearer')).toBe(scheme === 'Bearer')
      expect(guarded.reports.at(-1)).toMatchObject({ event: 'refused', reason })
      expect(answer.text).not.toContain(token)
      expect((await call(guarded, token)).status, 'still serves').toBe(200)
    },
  )

  it('incident 20: refuses the scheme DPoP for a token that is bound to a certificate', async () => {
    const guarded = await startApi()
    const token = (await server.token({ client_id: client }, { certificate: holder })).json.access_token
    const certificate = holder
    expect((await call(guarded, token, { certificate, scheme: 'Bearer' })).status).toBe(200)
    const refused = await call(guarded, token, { certificate })
    expect([refused.status, guarded.reports.at(-1)?.reason]).toEqual([401, 'token_is_not_dpop'])
  })

  it('takes the proof beside any certificate, since only the key of the proof counts', async () => {
    const guarded = await startApi()
    expect((await call(guarded, await tokenOf(client), { certificate: holder })).status).toBe(200)
  })

  it('refuses a method that it does not take, and never takes its tokens as bearer', async () => {
    const guarded = await startApi({ methods: ['mutual-tls'], binding: 'when-bound' })
    const token = await tokenOf(client)
    for (const scheme of ['Bearer', 'DPoP']) {
      expect((await call(guarded, token, { scheme })).status).toBe(401)
      expect(guarded.reports.at(-1)?.reason).toBe('confirmation_method_not_taken')
    }
  })
})

describe('RFC 9449 §7.2 an API that takes both schemes', () => {
  it('[S01] [RFC9449-7.2-2] [RFC9449-7.1-4] challenges with both, without an error, where no token came', async () => {
    const guarded = await startApi()
    const answer = await server.send({ on: guarded.port, method: 'GET', path: '/identity', headers: {} })
    expect(answer.status).toBe(401)
    const place = 'resource_metadata="https://api.test/.well-known/oauth-protected-resource"'
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer ${place}, DPoP algs="ES256 EdDSA Ed25519 PS256 ML-DSA-44 ML-DSA-65", ${place}`,
    )
  })

  it('[RFC9728-2] says what it takes at its well-known place', async () => {
    const guarded = await startApi({ methods: ['dpop'], dpop: { algorithms: ['ES256'] } })
    const path = '/.well-known/oauth-protected-resource'
    const { json } = await server.send({ on: guarded.port, method: 'GET', path, headers: {} })
    expect(json).toEqual({
      resource: api,
      authorization_servers: [server.issuer],
      bearer_methods_supported: [],
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: true,
    })
  })

  it.each(['dPoP', 'DPOP'])('[S04] takes the scheme in any case: %s', async (scheme) => {
    expect((await call(await startApi(), await tokenOf(), { scheme })).status).toBe(200)
  })
})

describe('RFC 9449 §9 nonces of an API', () => {
  const requiring: DpopOptions = { nonces: 'required' }

  it('[S14] [RFC9449-9-1] [RFC9449-8.2-1] [RFC9449-8.2-3] asks, takes, and hands out the next', async () => {
    const guarded = await startApi({ dpop: requiring })
    const token = await tokenOf()
    const asked = await call(guarded, token)
    expect([asked.status, asked.headers['cache-control']]).toEqual([401, 'no-store'])
    expect(asked.headers['www-authenticate']).toMatch(/^DPoP error="use_dpop_nonce", [^,]+, algs="[^"]+", [^,]+$/)
    const nonce = String(asked.headers['dpop-nonce'])
    const served = await call(guarded, token, { proofs: [proofOf(token, { nonce })] })
    expect([served.status, served.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(served.headers['dpop-nonce']).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  it('[RFC9449-9-2] does not take a nonce of another API', async () => {
    const [one, other] = [await startApi({ dpop: requiring }), await startApi({ dpop: requiring })]
    const token = await tokenOf()
    const nonce = String((await call(one, token)).headers['dpop-nonce'])
    const refused = await call(other, token, { proofs: [proofOf(token, { nonce })] })
    expect([refused.status, refused.json.error]).toEqual([401, 'use_dpop_nonce'])
    expect(other.reports.at(-1)?.reason).toBe('dpop_nonce_unknown')
  })

  it('knows the nonces of a process that has the same key', async () => {
    const dpop = { ...requiring, nonceKey: crypto.getRandomValues(new Uint8Array(32)) }
    const [one, other] = [await startApi({ dpop }), await startApi({ dpop })]
    const token = await tokenOf()
    const nonce = String((await call(one, token)).headers['dpop-nonce'])
    expect((await call(other, token, { proofs: [proofOf(token, { nonce })] })).status).toBe(200)
  })
})

describe('RFC 9449 §11.1 a proof at several processes of an API', () => {
  const sharing = (file: string) => {
    const replay = createSqliteReplay(file)
    memories.push(replay)
    return startApi({ dpop: { replay } })
  }

  it('incident 6: is refused by the second, in turns', async () => {
    const file = join(directory, 'turns.db')
    const nodes = [await sharing(file), await sharing(file)]
    const token = await tokenOf()
    for (let i = 0; i < 4; i++) {
      const proofs = [proofOf(token)]
      const statuses = []
      for (const node of i % 2 ? nodes.toReversed() : nodes) statuses.push((await call(node, token, { proofs })).status)
      expect(statuses).toEqual([200, 401])
    }
  })

  it('[RFC9449-11.1-2] [S39] is refused after a restart', async () => {
    const file = join(directory, 'restart.db')
    const token = await tokenOf()
    const proofs = [proofOf(token)]
    expect((await call(await sharing(file), token, { proofs })).status).toBe(200)
    for (const each of memories.splice(0)) each.close()
    expect((await call(await sharing(file), token, { proofs })).status).toBe(401)
  })

  it('is refused by all while the memory cannot be had, with Retry-After', async () => {
    const guarded = await sharing(join(directory, 'closed.db'))
    const token = await tokenOf()
    memories.at(-1)?.close()
    const answer = await call(guarded, token)
    expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable'])
    expect(answer.headers['retry-after']).toBe('2')
    expect(guarded.reports.map(({ event }) => event)).toEqual(['replay_unavailable', 'refused'])
  })
})

describe('RFC 9449 §11.1 the example of an API in several processes', { timeout: 30_000 }, () => {
  let issuer: ListeningIssuer
  const running: ChildProcess[] = []

  beforeAll(async () => {
    issuer = await startTestIssuer({ audience: api })
    writeFileSync(join(directory, 'ca.pem'), issuer.ca)
    writeFileSync(join(directory, 'server.pem'), String(server.settings.listen.public.certificate))
    writeFileSync(join(directory, 'server.key'), String(server.settings.listen.public.key))
    writeFileSync(join(directory, 'nonce.key'), crypto.getRandomValues(new Uint8Array(32)))
  })
  afterAll(async () => {
    for (const child of running) {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await issuer.close()
  })

  async function startProcess(origin: string): Promise<{ readonly port: number }> {
    const port = await freePort()
    const env = {
      ...process.env,
      ISSUER: issuer.issuer,
      API: api,
      ORIGIN: origin,
      PORT: String(port),
      TLS: join(directory, 'server'),
      REPLAY: join(directory, 'replay.db'),
      NONCE_KEY: join(directory, 'nonce.key'),
      NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem'),
    }
    const child = spawn(process.execPath, [resolve('examples/api-processes.ts')], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(child)
    await once(child.stdout, 'data')
    return { port }
  }

  it('[RFC9449-11.1-2] serves exactly one of 64 requests with one proof, at once at two processes', async () => {
    const processes = await Promise.all([startProcess(api), startProcess(api)])
    const token = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })
    const [one, other] = processes
    const nonce = String((await call(one ?? { port: 0 }, token)).headers['dpop-nonce'])
    for (let round = 0; round < 3; round++) {
      const proofs = [proofOf(token, { nonce })]
      const asked = Array.from({ length: 32 }, () => processes.map((each) => call(each, token, { proofs })))
      const statuses = (await Promise.all(asked.flat())).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses.filter((status) => status === 401)).toHaveLength(63)
    }
    expect(await call(other ?? { port: 0 }, token, { proofs: [proofOf(token, { nonce })] })).toMatchObject({
      status: 200,
    })
  })
})

describe('a guard without an adapter', () => {
  it('[RFC9449-9-1] gives the same answer as data', async () => {
    const guard = createGuard(
      { issuer: server.issuer, identifier: api, dpop: { nonces: 'required' } },
      { fetch: outgoing.fetch, report: () => {} },
    )
    const token = await tokenOf()
    const headers = { authorization: [`DPoP ${token}`], dpop: [proofOf(token)] }
    const verdict = await guard.judge({ method: 'GET', url: `${api}/identity`, headers })
    if (verdict.admitted) throw new Error('admitted')
    expect(renderVerdict(verdict)).toMatchObject({
      status: 401,
      headers: {
        'dpop-nonce': expect.any(String),
        'www-authenticate': [expect.stringMatching(/^DPoP error="use_dpop/)],
      },
    })
  })
})
