import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSecrets } from '../client-authentication/secrets.ts'
import type { Store } from '../ports/store.ts'
import { parseSettings } from '../settings.ts'
import { openSqliteStore } from '../store/sqlite/sqlite.ts'
import { type Administration, createAdministration } from './administration.ts'
import { createSealing } from './keys/sealing.ts'
import { ensureServerSecret } from './keys/server-secret.ts'
import { createSigner } from './keys/signer.ts'
import { ensureSigningKeys } from './keys/signing-keys.ts'

const settings = parseSettings({
  issuer: 'https://as.example.com',
  layout: 'single',
  listen: { public: { port: 4431, certificate: 'as.pem', key: 'as.key' } },
  mutualTls: { trustGroups: { stores: { ca: 'ca.pem' } } },
  apis: [{ identifier: 'https://api.example.com', scopes: ['api1', 'api2'] }],
  clients: [{ client_id: 'written', client_secret: 'secret', scope: 'api1' }],
})
const { random } = nodePrimitives
const at = 1_800_000_000

describe('administration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-administration-'))
  let store: Store
  let administer: Administration['administer']
  let changed: string[]

  beforeAll(async () => {
    store = await openSqliteStore({ file: join(directory, 'holdfast.db') })
    const sealing = createSealing([random(32)], random)
    const secret = await ensureServerSecret({ store, sealing, random })
    await ensureSigningKeys(store, ['ES256', 'EdDSA'], sealing, at)
    const signer = await createSigner({ store, sealing })
    const onClientsChanged = (clientId: string) => changed.push(clientId)
    ;({ administer } = createAdministration({
      settings,
      store,
      signer,
      now: () => at,
      random,
      sealing,
      secret,
      auditKey: secret,
      audit: (entry) => ({ ...entry, time: at, node: 'node', key: secret }),
      onClientsChanged,
    }))
  })
  beforeEach(async () => {
    changed = []
    await store.deleteClient('shop')
  })
  afterAll(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const shop = { client_id: 'shop', scope: 'api1' }

  it('adds a client with a secret of 256 bit, which it can authenticate with', async () => {
    const { client, secret } = await administer('client-add', { client: shop, secret: 'generate' })
    expect(client).toMatchObject({ client_id: 'shop', scope: 'api1', hasSecret: true, readOnly: false })
    expect(Buffer.from(secret ?? '', 'base64url')).toHaveLength(32)
    const stored = await store.findClient('shop')
    expect(stored?.client_secret_hash).toMatch(/^sha256:/)
    expect(await createSecrets(random).matches(stored, secret ?? '')).toBe(true)
    expect(await createSecrets(random).matches(stored, `${secret}x`)).toBe(false)
    expect(changed).toEqual(['shop'])
  })

  it('stores a chosen secret as argon2id, and does not show it again', async () => {
    const given = await administer('client-add', { client: shop, secret: { chosen: 'correct horse' } })
    expect(given.secret).toBeUndefined()
    const stored = await store.findClient('shop')
    expect(stored?.client_secret_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await createSecrets(random).matches(stored, 'correct horse')).toBe(true)
    expect(await createSecrets(random).matches(stored, 'correct hors')).toBe(false)
  })

  it('never shows a secret or its hash', async () => {
    const { secret } = await administer('client-add', { client: shop, secret: 'generate' })
    const seen = JSON.stringify([
      await administer('client-show', { clientId: 'shop' }),
      await administer('client-show', { clientId: 'written' }),
      await administer('client-list', {}),
      await administer('client-edit', { clientId: 'shop', change: {} }),
      await administer('key-list', {}),
    ])
    expect(seen).not.toContain(secret)
    expect(seen).not.toMatch(/client_secret|sha256:|argon2|"secret"|sealed|v1\./)
  })

  it.each([
    ['the id of a stored client', { ...shop }, 'taken'],
    ['the id of a client in the settings', { ...shop, client_id: 'written' }, 'taken'],
    ['a scope that no API has', { ...shop, client_id: 'other', scope: 'api3' }, 'invalid'],
    ['an unknown member', { ...shop, client_id: 'other', redirect: 'x' }, 'invalid'],
    ['a secret in clear', { ...shop, client_id: 'other', client_secret: 'clear' }, 'invalid'],
    ['no client_id', { scope: 'api1' }, 'invalid'],
  ])('refuses to add %s', async (_, client, problem) => {
    await administer('client-add', { client: shop, secret: 'generate' })
    await expect(administer('client-add', { client, secret: 'generate' })).rejects.toMatchObject({ problem })
    expect(await store.findClient('other')).toBeUndefined()
  })

  it('refuses a client of a trust group that there is not', async () => {
    const method = { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=shop' }
    const good = { ...shop, ...method, trust_group: 'stores' }
    await expect(administer('client-add', { client: { ...good, trust_group: 'x' } })).rejects.toMatchObject({
      problem: 'invalid',
    })
    expect((await administer('client-add', { client: good })).client.trust_group).toBe('stores')
  })

  it('changes what is named, takes away what is null, and keeps the rest', async () => {
    await administer('client-add', { client: { ...shop, access_token_lifetime: 60 }, secret: 'generate' })
    const before = await store.findClient('shop')
    const change = { scope: 'api1 api2', access_token_lifetime: null }
    const { client } = await administer('client-edit', { clientId: 'shop', change })
    expect(client.scope).toBe('api1 api2')
    expect(client).not.toHaveProperty('access_token_lifetime')
    expect((await store.findClient('shop'))?.client_secret_hash).toBe(before?.client_secret_hash)
  })

  it('gives a client a new secret in place of the old one', async () => {
    const first = await administer('client-add', { client: shop, secret: 'generate' })
    const second = await administer('client-edit', { clientId: 'shop', change: {}, secret: 'generate' })
    const stored = await store.findClient('shop')
    expect(await createSecrets(random).matches(stored, second.secret ?? '')).toBe(true)
    expect(await createSecrets(random).matches(stored, first.secret ?? '')).toBe(false)
  })

  it('goes over to another way of authenticating in one change', async () => {
    await administer('client-add', { client: shop, secret: 'generate' })
    const change = { token_endpoint_auth_method: 'none' }
    await expect(administer('client-edit', { clientId: 'shop', change })).rejects.toMatchObject({ problem: 'invalid' })
    const { client } = await administer('client-edit', { clientId: 'shop', change, secret: 'none' })
    expect(client.hasSecret).toBe(false)
  })

  it.each(['client-edit', 'client-remove'] as const)('does not %s a client of the settings', async (command) => {
    const data = command === 'client-edit' ? { clientId: 'written', change: {} } : { clientId: 'written' }
    await expect(administer(command, data as never)).rejects.toMatchObject({ problem: 'read_only' })
  })

  it.each(['client-show', 'client-edit', 'client-remove'] as const)(
    'does not %s a client that there is not',
    async (command) => {
      const data = command === 'client-edit' ? { clientId: 'nobody', change: {} } : { clientId: 'nobody' }
      await expect(administer(command, data as never)).rejects.toMatchObject({ problem: 'unknown' })
    },
  )

  it('does not change the client_id', async () => {
    await administer('client-add', { client: shop, secret: 'generate' })
    const change = { client_id: 'other' }
    await expect(administer('client-edit', { clientId: 'shop', change })).rejects.toMatchObject({ problem: 'invalid' })
  })

  it('removes a client', async () => {
    await administer('client-add', { client: shop, secret: 'generate' })
    expect(await administer('client-remove', { clientId: 'shop' })).toEqual({ removed: 'shop' })
    expect(await store.findClient('shop')).toBeUndefined()
    expect(changed).toEqual(['shop', 'shop'])
  })

  it.each([
    ['client-show', {}],
    ['client-show', { clientId: 'written', more: 1 }],
    ['client-add', { client: 'shop' }],
    ['client-add', { client: {}, secret: { chosen: '' } }],
    ['key-rotate', { algorithm: 1 }],
  ] as const)('refuses malformed data for %s', async (command, data) => {
    await expect(administer(command, data as never)).rejects.toMatchObject({ problem: 'invalid' })
  })

  it('rotates the keys of one algorithm, and publishes the old one until its tokens have ended', async () => {
    const before = (await administer('key-list', {})).keys
    const next = before.find(({ algorithm, stage }) => algorithm === 'ES256' && stage === 'next')
    const { rotated, keys } = await administer('key-rotate', { algorithm: 'ES256' })
    expect(rotated).toEqual(['ES256'])
    expect(keys.find(({ kid }) => kid === next?.kid)?.stage).toBe('active')
    const retired = keys.filter(({ stage }) => stage === 'retired')
    expect(retired).toEqual([expect.objectContaining({ algorithm: 'ES256', expires: at + 3600 + 300 })])
  })

  it('refuses to rotate an algorithm that has no key', async () => {
    await expect(administer('key-rotate', { algorithm: 'PS256' })).rejects.toMatchObject({ problem: 'unknown' })
  })
})
