import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../ports/store.ts'
import { parseSettings } from '../../settings.ts'
import { openTemporaryStore } from '../../store/temporary-store.fixture.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { keyContext } from './key-context.fixture.ts'
import { rotateOldKeys } from './keys.ts'
import { createSigner } from './signer.ts'
import { ensureSigningKeys } from './signing-keys.ts'

const began = 1_800_000_000
const day = 86_400

const settings = parseSettings({
  issuer: 'https://as.test',
  listen: { public: { port: 1, certificate: 'c', key: 'k' }, mutualTls: { port: 2 } },
  apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
})

async function open(): Promise<{
  readonly store: Store
  readonly node: (now: number) => Promise<AdministrationContext>
}> {
  const { store } = await openTemporaryStore(onTestFinished)
  await ensureSigningKeys(store, ['ES256', 'EdDSA'], keyContext(store, () => began).sealing, began)
  const node = async (now: number) => ({
    settings,
    ...keyContext(store, () => now),
    signer: await createSigner(keyContext(store, () => now)),
    random: nodePrimitives.random,
    onClientsChanged: () => {},
  })
  return { store, node }
}

describe('signing keys that have served their time', () => {
  it('hand over to the next ones, on the second', async () => {
    const { node } = await open()
    const [early, due] = [await node(began + 90 * day - 1), await node(began + 90 * day)]
    const before = due.signer.active('ES256').kid
    expect(await rotateOldKeys(90 * day, early)).toEqual([])
    expect(await rotateOldKeys(90 * day, due)).toEqual(['ES256', 'EdDSA'])
    expect(due.signer.active('ES256').kid).not.toBe(before)
  })

  it('stay published as long as their tokens can live', async () => {
    const { node } = await open()
    const due = await node(began + 90 * day)
    const before = due.signer.active('ES256').kid
    await rotateOldKeys(90 * day, due)
    const isPublished = (now: number) => due.signer.published(now).some(({ kid }) => kid === before)
    expect(isPublished(began + 90 * day + 3600 + 299)).toBe(true)
    expect(isPublished(began + 90 * day + 3600 + 300)).toBe(false)
  })

  it('hand over once, however many nodes look at the same time', async () => {
    const { store, node } = await open()
    const nodes = await Promise.all(Array.from({ length: 8 }, () => node(began + 90 * day)))
    const rotated = await Promise.all(nodes.map((each) => rotateOldKeys(90 * day, each)))
    expect(rotated.flat().toSorted()).toEqual(['ES256', 'EdDSA'])
    const keys = await store.listSigningKeys()
    expect(keys.filter(({ stage }) => stage === 'retired')).toHaveLength(2)
    expect(keys.filter(({ stage }) => stage === 'active')).toHaveLength(2)
    expect(keys.filter(({ stage }) => stage === 'next')).toHaveLength(2)
  })
})
