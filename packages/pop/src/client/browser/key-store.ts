import { isJsonObject } from '../../foundation/json.ts'
import { parsePublicJwk } from '../../foundation/jwk.ts'
import { isProofAlgorithm, type ProofAlgorithm, type ProofKey } from '../../proof/dpop.ts'
import { ClientError } from '../client-error.ts'
import { generateKeyPair, signBytes } from '../web-crypto.ts'
import { type Database, openDatabase } from './database.ts'

/** A key of this browser, and what is bound to it: one for all tabs of an origin, kept over reloads. */
export interface BrowserKeyStore extends Pick<Database, 'find' | 'change'> {
  readonly name: string
  /** Signs by a key that nobody can export, this page included. RFC 9449 §11.4. */
  readonly proofKey: ProofKey
  /** Forgets the key, and all that is bound to it. Who needs a key afterwards opens the store again. */
  readonly remove: () => Promise<void>
}

/** How a key store is made. */
export interface BrowserKeyStoreOptions {
  /** Of a key that is made now; a kept key stays what it is. `ES256` when left out. */
  readonly alg?: Exclude<ProofAlgorithm, 'PS256'>
  /** The browser's own when left out. */
  readonly indexedDB?: IDBFactory
}

/**
 * Opens the key store of this name, in IndexedDB. The first makes the key; tabs that start together end up with one.
 *
 * Whoever can run a script in this origin can use the key while the script runs, but cannot take it away.
 *
 * @throws {@link ClientError} `key_store_unavailable`, `algorithm_unsupported`
 */
export async function openKeyStore(name: string, options: BrowserKeyStoreOptions = {}): Promise<BrowserKeyStore> {
  const { alg = 'ES256' } = options
  const factory = options.indexedDB ?? ('indexedDB' in globalThis ? indexedDB : undefined)
  if (!factory || !('subtle' in crypto)) {
    throw new ClientError('key_store_unavailable', {
      detail: 'There is no IndexedDB, or the page did not come by https.',
    })
  }
  const { find, change, clear } = openDatabase(`holdfast:${name}`, factory)
  const kept = (await find('key')) ?? (await keepFirst({ alg, pair: await generateKeyPair(alg) }, change))
  return { name, proofKey: await proofKeyOf(kept), find, change, remove: clear }
}

/** The first one stays. */
function keepFirst(made: StoredKey, change: Database['change']): Promise<unknown> {
  return change('key', (found) => ({ next: found ?? made, result: found ?? made }))
}

interface StoredKey {
  readonly alg: ProofAlgorithm
  readonly pair: CryptoKeyPair
}

async function proofKeyOf(kept: unknown): Promise<ProofKey> {
  if (!isStoredKey(kept)) throw new ClientError('key_store_unavailable', { detail: 'What is kept there is no key.' })
  const { alg, pair } = kept
  const jwk = parsePublicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey))
  if (!jwk) throw new ClientError('algorithm_unsupported', { detail: alg })
  return { alg, jwk, sign: (data) => signBytes(alg, pair.privateKey, data) }
}

function isStoredKey(value: unknown): value is StoredKey {
  return isJsonObject(value) && isProofAlgorithm(value.alg) && isJsonObject(value.pair)
}
