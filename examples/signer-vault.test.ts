import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import { createGuard } from '@holdfast/pop/resource/node'
import { createAuthorizationServer, type OutsideSigner } from 'holdfast'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../conformance/browser.ts'
import { api, claimsOf, type Harness, startServer } from '../conformance/harness.ts'
import { authorizeFully, redirect, verifier, visitClients } from '../conformance/visit.ts'
import { createVaultSigner } from './signer-vault.ts'
import { startVaultStandIn, type VaultStandIn } from './vault-stand-in.fixture.ts'

let authority: CertificatePair
let pair: CertificatePair
let vault: VaultStandIn
let outgoing: MutualTls
let signer: OutsideSigner
let server: Harness

beforeAll(async () => {
  authority = await createCertificateAuthority({ name: 'Vault', keyType: 'P-256' })
  pair = await issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  vault = await startVaultStandIn('secret token', pair)
  outgoing = new MutualTls({ certificate: undefined, ca: authority.certificate })
  const { fetch } = outgoing
  signer = createVaultSigner({ address: vault.address, token: 'secret token', name: 'tokens', fetch })
  server = await startServer(
    (settings) => ({
      ...settings,
      people: { directory: [{ username: 'alice', password: 'alice' }] },
      clients: [
        ...(settings.clients ?? []),
        ...visitClients
          .filter(({ client_id }) => client_id === 'web')
          .map((each) => ({ ...each, scope: 'openid api1' })),
      ],
    }),
    undefined,
    { signer },
  )
})
afterEach(async () => {
  vault.behave('well')
  await untilIssued()
})
afterAll(async () => {
  await server?.close()
  await outgoing?.close()
  await vault?.close()
})

/** A signer that was away is asked again after a second. */
async function untilIssued(): Promise<void> {
  for (let tries = 0; (await server.token()).status !== 200; tries++) {
    if (tries === 100) throw new Error('the signer does not come back')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
const published = async (): Promise<string[]> =>
  (await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })).json.keys.map(
    ({ kid }: { kid: string }) => kid,
  )

async function codeForm() {
  const page = await authorizeFully(openBrowser(server), { client_id: 'web', scope: 'openid api1' })
  const form = { grant_type: 'authorization_code', redirect_uri: redirect, code_verifier: verifier }
  return { ...form, client_id: 'web', client_secret: 'secret', code: page.answer.code }
}

describe('a server whose key stays in Vault', () => {
  it('has each token signed there once, and an API accepts it', async () => {
    const before = vault.asked.filter((each) => each === 'signs with 1').length
    const token = (await server.token()).json.access_token
    expect(headerOf(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'tokens-v1' })
    expect(vault.asked.filter((each) => each === 'signs with 1')).toHaveLength(before + 1)
    const keys = new MutualTls({ certificate: undefined, ca: server.ca })
    const guard = createGuard(
      { issuer: server.issuer, identifier: api, binding: 'when-bound' },
      { fetch: keys.fetch, report: () => {} },
    )
    const verdict = await guard.judge({
      method: 'GET',
      url: `${api}/`,
      headers: { authorization: [`Bearer ${token}`] },
    })
    expect(verdict).toMatchObject({ admitted: true })
    await keys.close()
  })

  it('makes no signing keys of its own', () => {
    const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { readOnly: true })
    expect(database.prepare('select count(*) as count from signing_key').get()).toEqual({ count: 0 })
    database.close()
  })

  it('says of itself what it can sign, no more', async () => {
    const { json } = await server.send({
      on: 'public',
      method: 'GET',
      path: '/.well-known/openid-configuration',
      headers: {},
    })
    expect(json.id_token_signing_alg_values_supported).toEqual(['ES256'])
  })

  it.each([
    ['key-rotate', {}],
    ['key-revoke', { kid: 'tokens-v1' }],
  ] as const)('does not carry out %s: the key is in Vault', async (command, data) => {
    const done = server.server.administration.administer(command, data as never)
    await expect(done).rejects.toMatchObject({ problem: 'read_only', message: expect.stringContaining('application') })
  })

  it('lists what it publishes', async () => {
    const { keys } = await server.server.administration.administer('key-list', {})
    expect(keys).toEqual([{ kid: 'tokens-v1', algorithm: 'ES256', stage: 'published' }])
  })

  it.each(['sealed', 'signs with another key'] as const)(
    'answers 503 while Vault %s, and says why',
    async (behaviour) => {
      vault.behave(behaviour)
      const { status, headers, json } = await server.token()
      expect([status, headers['retry-after']]).toEqual([503, '1'])
      expect(json).toEqual({ error: 'temporarily_unavailable', error_description: expect.any(String) })
      const report = server.reports.findLast(({ reason }) => reason === 'signer_unavailable')
      expect(report).toMatchObject({ level: 'warn', event: 'refused', cause: { name: 'SignerUnavailable' } })
    },
  )

  it('answers 503 after two seconds when Vault hangs', async () => {
    vault.behave('hangs')
    const began = performance.now()
    expect((await server.token()).status).toBe(503)
    expect(performance.now() - began).toBeLessThan(3000)
  })

  it('uses nothing up while it knows that Vault is away; reference tokens need no signature', async () => {
    const form = await codeForm()
    vault.behave('sealed')
    for (let tries = 0; tries < 3; tries++) expect((await server.token()).status).toBe(503)
    expect(server.reports.at(-1)).toMatchObject({ event: 'refused' })
    expect(server.reports.some(({ event }) => event === 'signer_unavailable')).toBe(true)
    expect((await server.post('/token', form)).status).toBe(503)
    expect((await server.token({ client_id: 'reference' })).status).toBe(200)
    vault.behave('well')
    await untilIssued()
    const answer = await server.post('/token', form)
    expect(answer.status).toBe(200)
    expect(headerOf(answer.json.id_token)).toMatchObject({ kid: 'tokens-v1', typ: 'JWT' })
    expect(server.reports.some(({ event }) => event === 'signer_available')).toBe(true)
  })

  it('signs with the next version once it has been there for a minute; the ones before go when Vault takes them away', async () => {
    vault.rotate()
    await signer.reload()
    expect(headerOf((await server.token()).json.access_token).kid).toBe('tokens-v1')
    vault.rotate(new Date(Date.now() - 61_000))
    await signer.reload()
    expect(headerOf((await server.token()).json.access_token).kid).toBe('tokens-v3')
    expect(await published()).toEqual(['tokens-v1', 'tokens-v2', 'tokens-v3'])
    vault.trim(3)
    await signer.reload()
    expect(signer.published(0).map(({ kid }) => kid)).toEqual(['tokens-v3'])
    expect((await server.token()).status).toBe(200)
  })
})

it('a start with a token that Vault does not take ends with a sentence', async () => {
  const wrong = createVaultSigner({ address: vault.address, token: 'wrong', name: 'tokens', fetch: outgoing.fetch })
  const store = { file: join(server.directory, 'other.db') }
  const started = createAuthorizationServer({ ...server.settings, store }, { signer: wrong })
  await expect(started).rejects.toMatchObject({
    name: 'SettingsError',
    message: expect.stringContaining('permission denied'),
  })
})

it('runs as it stands', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-vault-'))
  writeFileSync(join(folder, 'ca.pem'), authority.certificate)
  const base = 20_000 + (process.pid % 2500) * 4
  const listener = { host: '127.0.0.1', certificate: pair.certificate, key: pair.key }
  const settings = {
    issuer: `https://localhost:${base}`,
    listen: { public: { ...listener, port: base }, mutualTls: { port: base + 1, host: '127.0.0.1' } },
    apis: [{ identifier: api, scopes: ['api1'] }],
    clients: [{ client_id: 'client', client_secret: 'secret', scope: 'api1' }],
  }
  writeFileSync(join(folder, 'holdfast.json'), JSON.stringify(settings))
  const script = [resolve('examples/signer-vault.ts'), join(folder, 'holdfast.json')]
  const child = spawn(process.execPath, script, {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: 'secret token',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = await once(child.stdout, 'data')
    expect(String(line)).toBe(`listening: https://localhost:${base}\n`)
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret' })
    const answer = await outgoing.fetch(`https://localhost:${base}/token`, { method: 'POST', body })
    const { access_token } = (await answer.json()) as { readonly access_token: string }
    expect(claimsOf(access_token)).toMatchObject({ iss: settings.issuer, client_id: 'client' })
  } finally {
    const ended = once(child, 'exit')
    child.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
})
