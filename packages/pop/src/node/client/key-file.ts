import { argon2, randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { IdTokenClaims } from '../../client/authorization/id-token.ts'
import { ClientError } from '../../client/client-error.ts'
import { isJsonObject, type JsonObject, parseJsonObject } from '../../foundation/json.ts'
import { isProofAlgorithm, type ProofAlgorithm } from '../../proof/dpop.ts'
import type { KeyPair } from './mutual-tls.ts'
import { seal, unseal } from './seal.ts'

/** What outlives a process: the key, and the refresh token that is bound to it. */
export interface KeptSignIn {
  readonly issuer: string
  readonly client_id: string
  readonly scope: string
  readonly certificate?: KeyPair | undefined
  readonly proofKey?: KeptProofKey | undefined
  readonly refresh_token: string
  readonly claims?: IdTokenClaims | undefined
}

/** A key that signs proofs, with its private half. */
export interface KeptProofKey {
  readonly alg: ProofAlgorithm
  /** PEM of the private key, PKCS#8. */
  readonly key: string
}

/** Where one sign-in is kept. */
export interface KeyStore {
  /** @returns undefined when nothing is kept */
  readonly read: () => Promise<KeptSignIn | undefined>
  /** Keeps it in place of what was kept: whole or not at all. */
  readonly write: (kept: KeptSignIn) => Promise<void>
  readonly remove: () => Promise<void>
}

/** What opens a key file: words that somebody types, or 32 bytes out of the platform's key chain. */
export type KeyFileLock = { readonly passphrase: string } | { readonly key: Uint8Array }

/** What a passphrase costs to try: 64 MiB, three passes. RFC 9106 §4, second recommended option. */
const cost = { memory: 65_536, passes: 3, parallelism: 1 } as const
const saltLength = 16
const keyLength = 32
const version = 'holdfast-key-file-1'

/**
 * Keeps a sign-in in a file that only its owner can read: encrypted by AES-256-GCM, under a passphrase (argon2id) or a
 * key. Every write encrypts anew.
 *
 * @throws {@link ClientError} `key_file_unusable` when it is read and the lock is another, or it is no key file
 */
export function keyFile(file: string, lock: KeyFileLock): KeyStore {
  if ('key' in lock && lock.key.length !== keyLength) throw unusable(`Its key must have ${keyLength} bytes.`)
  const derived = new Map<string, Promise<Uint8Array>>()
  const keyFor = (salt: string): Promise<Uint8Array> => {
    const known = derived.get(salt) ?? ('key' in lock ? Promise.resolve(lock.key) : stretch(lock.passphrase, salt))
    derived.set(salt, known)
    return known
  }
  let salt: string | undefined
  return {
    read: async () => {
      const text = await readFile(file, 'utf8').catch(undefinedWhenAbsent)
      if (text === undefined) return undefined
      const written = parseJsonObject(text)
      if (written?.format !== version || typeof written.salt !== 'string' || typeof written.sealed !== 'string') {
        throw unusable(`${file} is none.`)
      }
      const opened = unseal(written.sealed, await keyFor(written.salt), version + written.salt)
      if (opened === undefined) throw unusable(`${file} was locked by another passphrase or key, or was altered.`)
      salt = written.salt
      return parseKept(parseJsonObject(opened), file)
    },
    write: async (kept) => {
      salt ??= randomBytes(saltLength).toString('base64url')
      const sealed = seal(JSON.stringify(kept), await keyFor(salt), version + salt)
      const next = `${file}.${randomBytes(6).toString('hex')}`
      await writeFile(next, `${JSON.stringify({ format: version, salt, sealed })}\n`, { mode: 0o600, flag: 'wx' })
      await rename(next, file)
    },
    remove: () => rm(file, { force: true }),
  }
}

async function stretch(passphrase: string, salt: string): Promise<Uint8Array> {
  const parameters = { message: passphrase.normalize('NFC'), nonce: Buffer.from(salt, 'base64url'), ...cost }
  return await promisify(argon2)('argon2id', { ...parameters, tagLength: keyLength })
}

function parseKept(kept: JsonObject | undefined, file: string): KeptSignIn {
  const { issuer, client_id, scope, refresh_token, certificate: pair, proofKey, claims } = kept ?? {}
  const texts = [issuer, client_id, scope, refresh_token]
  const isPair = isJsonObject(pair) && typeof pair.certificate === 'string' && typeof pair.key === 'string'
  const isKey = isJsonObject(proofKey) && isProofAlgorithm(proofKey.alg) && typeof proofKey.key === 'string'
  if (texts.some((text) => typeof text !== 'string') || (pair !== undefined && !isPair))
    throw unusable(`${file} is none.`)
  if (proofKey !== undefined && !isKey) throw unusable(`${file} is none.`)
  if (claims !== undefined && !isJsonObject(claims)) throw unusable(`${file} is none.`)
  const vouched: unknown = kept
  return vouched as KeptSignIn
}

function undefinedWhenAbsent(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
  throw new ClientError('key_file_unusable', { cause })
}

function unusable(detail: string): ClientError {
  return new ClientError('key_file_unusable', { detail })
}
