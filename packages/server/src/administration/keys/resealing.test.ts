import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../ports/store.ts'
import { parseSettings } from '../../settings.ts'
import { openTemporaryStore } from '../../store/temporary-store.fixture.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { keyContext } from './key-context.fixture.ts'
import { namesOfOutdated, resealKeys } from './resealing.ts'
import { ensureServerSecret } from './server-secret.ts'
import { createSigner } from './signer.ts'
import { ensureSigningKeys, openSealedKey, rotateSigningKey } from './signing-keys.ts'

const { random } = nodePrimitives
const now = () => 1000
const settings = parseSettings({
  issuer: 'https://as.test',
  layout: 'single',
  listen: { public: { port: 1, certificate: 'c', key: 'k' } },
  keys: { encryptionKey: 'new.key', otherEncryptionKeys: ['old.key'] },
  apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
})

/** A node with these encryption keys. */
async function node(store: Store, ...keys: number[]): Promise<AdministrationContext> {
  const context = keyContext(store, now, ...keys)
  const secret = await ensureServerSecret({ ...context, random })
  return { ...context, settings, secret, random, signer: await createSigner(context), onClientsChanged: () => {} }
}

/** A database with keys in all stages and a secret, all sealed under key 7. */
async function open() {
  const { store } = await openTemporaryStore(onTestFinished)
  const old = keyContext(store, now, 7)
  const secret = await ensureServerSecret({ ...old, random })
  await ensureSigningKeys(store, ['ES256', 'EdDSA'], old.sealing, now())
  await rotateSigningKey({ algorithm: 'EdDSA', lifetime: 100, actor: 'operator' }, old)
  return { store, secret }
}

describe('sealing everything again', () => {
  it('leaves nothing that the old key opens, and nothing that the new one does not', async () => {
    const { store, secret } = await open()
    const swapped = await node(store, 8, 7)
    expect(await namesOfOutdated(swapped)).toHaveLength(6)
    expect(await resealKeys({}, swapped)).toEqual({ resealed: 6, left: [], encryptionKey: 'new.key' })
    const alone = keyContext(store, now, 8)
    expect(await ensureServerSecret({ ...alone, random })).toEqual(secret)
    const former = keyContext(store, now, 7)
    for (const key of await store.listSigningKeys()) {
      expect(openSealedKey(key, alone.sealing).type).toBe('private')
      expect(() => openSealedKey(key, former.sealing)).toThrow()
    }
    await expect(ensureServerSecret({ ...former, random })).rejects.toMatchObject({ name: 'SettingsError' })
  })

  it('does nothing the second time, and records it once', async () => {
    const { store } = await open()
    const swapped = await node(store, 8, 7)
    await resealKeys({}, swapped)
    const before = await store.listSigningKeys()
    expect(await resealKeys({}, swapped)).toMatchObject({ resealed: 0, left: [] })
    expect(await store.listSigningKeys()).toEqual(before)
    const entries = await store.listAudit({ node: 'node', after: 0, limit: 10 })
    expect(entries.filter(({ event }) => event === 'keys_resealed')).toHaveLength(1)
  })

  it('seals each thing once, however many do it at the same time', async () => {
    const { store } = await open()
    const nodes = await Promise.all(Array.from({ length: 8 }, () => node(store, 8, 7)))
    const results = await Promise.all(nodes.map((each) => resealKeys({}, each)))
    expect(results.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(6)
    expect(new Set(results.flatMap(({ left }) => left))).toEqual(new Set())
    await node(store, 8)
  })

  it('keeps a key that was made meanwhile, whichever node made it', async () => {
    const { store } = await open()
    const swapped = await node(store, 8, 7)
    const before = await node(store, 7, 8)
    const [result] = await Promise.all([
      resealKeys({}, swapped),
      rotateSigningKey({ algorithm: 'ES256', lifetime: 100, actor: 'operator' }, before),
    ])
    const left = await namesOfOutdated(swapped)
    expect(left.length).toBeLessThanOrEqual(1)
    expect(result.resealed).toBeGreaterThanOrEqual(6)
    expect(await resealKeys({}, swapped)).toMatchObject({ resealed: left.length, left: [] })
    for (const key of await store.listSigningKeys())
      expect(openSealedKey(key, keyContext(store, now, 8).sealing).type).toBe('private')
  })

  it('names what it cannot open', async () => {
    const { store } = await open()
    const lost = (await store.listSigningKeys()).find(({ stage }) => stage === 'retired')?.kid ?? ''
    const swapped = await node(store, 8, 7)
    const [from] = (await store.listSigningKeys()).filter(({ kid }) => kid === lost)
    await store.reseal({ keys: [{ kid: lost, from: from?.sealed ?? '', sealed: 'v2.AAAA' }] })
    expect(await resealKeys({}, swapped)).toMatchObject({ resealed: 5, left: [lost] })
  })
})

it('a crash in between leaves everything open to a node that has both keys', async () => {
  const { store, secret } = await open()
  const both = keyContext(store, now, 8, 7)
  const [key] = await store.listSigningKeys()
  const opened = both.sealing.open({ kind: 'signing key', id: key?.kid ?? '' }, key?.sealed ?? '')
  const sealed = both.sealing.seal({ kind: 'signing key', id: key?.kid ?? '' }, opened?.bytes ?? new Uint8Array())
  await store.reseal({ keys: [{ kid: key?.kid ?? '', from: key?.sealed ?? '', sealed }] })
  for (const keys of [
    [8, 7],
    [7, 8],
  ]) {
    const { secret: kept } = await node(store, ...keys)
    expect(kept).toEqual(secret)
  }
  expect(await resealKeys({}, await node(store, 8, 7))).toMatchObject({ resealed: 5, left: [] })
})
