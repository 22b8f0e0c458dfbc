import { IDBFactory } from 'fake-indexeddb'
import { describe, expect, it, vi } from 'vitest'
import { nodePrimitives } from '../../node/primitives.ts'
import { createDpopProof, verifyDpopProof } from '../../proof/dpop.ts'
import { createDpopContext } from '../../proof/dpop-context.ts'
import { ClientError } from '../client-error.ts'
import { webContext } from '../context.ts'
import { openDatabase } from './database.ts'
import { type BrowserKeyStoreOptions, openKeyStore } from './key-store.ts'

describe('RFC 9449 §11.4 a key that is kept in the browser', () => {
  it.each(['ES256', 'ES384', 'Ed25519', 'ML-DSA-44'] as const)('signs proofs that are taken: %s', async (alg) => {
    const { proofKey } = await openKeyStore('a', { alg, indexedDB: new IDBFactory() })
    const request = { method: 'GET', url: 'https://api.example/' }
    const proof = await createDpopProof(proofKey, request, webContext())
    const judged = await verifyDpopProof([proof], request, { algorithms: [alg], nonces: 'off' }, dpopContext())
    expect(judged.possession.member).toBe('jkt')
    expect(proofKey.alg).toBe(alg)
  })

  it('[C26] cannot be exported', async () => {
    const indexedDB = new IDBFactory()
    await openKeyStore('a', { indexedDB })
    const kept = (await openDatabase('holdfast:a', indexedDB).find('key')) as { pair: { privateKey: CryptoKey } }
    expect(kept.pair.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('jwk', kept.pair.privateKey)).rejects.toThrow()
  })

  it('is the same after a reload', async () => {
    const indexedDB = new IDBFactory()
    const [first, second] = [await openKeyStore('a', { indexedDB }), await openKeyStore('a', { indexedDB })]
    expect(second.proofKey.jwk).toEqual(first.proofKey.jwk)
  })

  it('is one for tabs that start together', async () => {
    const indexedDB = new IDBFactory()
    const stores = await Promise.all(Array.from({ length: 20 }, () => openKeyStore('a', { indexedDB })))
    expect(new Set(stores.map(({ proofKey }) => JSON.stringify(proofKey.jwk))).size).toBe(1)
  })

  it('is another for another name, and after it was removed', async () => {
    const indexedDB = new IDBFactory()
    const first = await openKeyStore('a', { indexedDB })
    const other = await openKeyStore('b', { indexedDB })
    await first.remove()
    const next = await openKeyStore('a', { indexedDB })
    const keys = [first, other, next].map(({ proofKey }) => JSON.stringify(proofKey.jwk))
    expect(new Set(keys).size).toBe(3)
    expect((await openKeyStore('b', { indexedDB })).proofKey.jwk).toEqual(other.proofKey.jwk)
  })

  it('stays what it is when another algorithm is asked for', async () => {
    const indexedDB = new IDBFactory()
    await openKeyStore('a', { indexedDB })
    expect((await openKeyStore('a', { indexedDB, alg: 'Ed25519' })).proofKey.alg).toBe('ES256')
  })
})

describe('a browser that does not keep it', () => {
  it.each<[string, () => BrowserKeyStoreOptions]>([
    ['has no IndexedDB', () => ({})],
    ['refuses to open it', () => ({ indexedDB: refusing('SecurityError') })],
    ['fails to open it', () => ({ indexedDB: failing('UnknownError') })],
    ['is held up by another tab', () => ({ indexedDB: blocked() })],
  ])('says so: it %s', async (_, options) => {
    const error = await openKeyStore('a', options()).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toMatchObject({ reason: 'key_store_unavailable' })
  })

  it('is asked again: what failed once may work later', async () => {
    const good = new IDBFactory()
    let isBroken = true
    const database = openDatabase('a', {
      open: (name: string, version?: number) => (isBroken ? failing('UnknownError') : good).open(name, version),
    } as Factory)
    await expect(database.find('x')).rejects.toMatchObject({ reason: 'key_store_unavailable' })
    isBroken = false
    expect(await database.find('x')).toBeUndefined()
  })

  it('is opened again when it has closed the database', async () => {
    const factory = new IDBFactory()
    let opened: { close(): void } | undefined
    const database = openDatabase(
      'a',
      watching(factory, (found) => (opened = found)),
    )
    await database.change('x', () => ({ next: 1, result: undefined }))
    opened?.close()
    expect(await database.find('x')).toBe(1)
  })

  it('lets another tab delete the database', async () => {
    const factory = new IDBFactory()
    const database = openDatabase('a', factory)
    await database.change('x', () => ({ next: 1, result: undefined }))
    await new Promise<void>((resolve, reject) => {
      const request = factory.deleteDatabase('a')
      request.onsuccess = () => resolve()
      request.onblocked = () => reject(new Error('blocked'))
    })
    expect(await database.find('x')).toBeUndefined()
  })

  it('keeps nothing of a change that failed', async () => {
    const database = openDatabase('a', new IDBFactory())
    await database.change('x', () => ({ next: 1, result: undefined }))
    await expect(database.change('x', () => ({ next: () => undefined, result: undefined }))).rejects.toThrow()
    expect(await database.find('x')).toBe(1)
  })

  it('makes one change at a time', async () => {
    const factory = new IDBFactory()
    const tabs = [openDatabase('a', factory), openDatabase('a', factory)]
    const add = (value: unknown) => ({ next: Number(value ?? 0) + 1, result: undefined })
    await Promise.all(Array.from({ length: 50 }, (_, at) => tabs[at % 2]?.change('x', add)))
    expect(await tabs[0]?.find('x')).toBe(50)
  })

  it('knows no such algorithm', async () => {
    const subtle = vi.spyOn(crypto.subtle, 'generateKey')
    subtle.mockRejectedValueOnce(new DOMException('no', 'NotSupportedError'))
    const unknown = openKeyStore('a', { indexedDB: new IDBFactory(), alg: 'ML-DSA-44' })
    await expect(unknown).rejects.toMatchObject({ reason: 'algorithm_unsupported' })
    subtle.mockRestore()
  })
})

function dpopContext() {
  return createDpopContext(new Uint8Array(32), { now: webContext().now, primitives: nodePrimitives })
}

/** Not all of the root's projects know the types of browsers. */
type Factory = NonNullable<BrowserKeyStoreOptions['indexedDB']>

function refusing(name: string): Factory {
  return factoryOf(() => {
    throw new DOMException('no', name)
  })
}

function failing(name: string): Factory {
  return factoryOf(() => later((request) => ({ error: new DOMException('no', name), call: request.onerror })))
}

function blocked(): Factory {
  return factoryOf(() => later((request) => ({ error: null, call: request.onblocked })))
}

function factoryOf(open: () => unknown): Factory {
  return { open } as unknown as Factory
}

interface Handlers {
  error?: DOMException | null
  onerror?: () => void
  onblocked?: () => void
}

/** A request that ends by calling one of its handlers. */
function later(end: (request: Handlers) => { error: DOMException | null; call: (() => void) | undefined }): Handlers {
  const request: Handlers = {}
  queueMicrotask(() => {
    const { error, call } = end(request)
    request.error = error
    call?.()
  })
  return request
}

function watching(factory: Factory, watch: (database: { close(): void }) => void): Factory {
  const open = (name: string, version?: number) => {
    const request = factory.open(name, version)
    request.addEventListener('success', () => watch(request.result))
    return request
  }
  return { open } as Factory
}
