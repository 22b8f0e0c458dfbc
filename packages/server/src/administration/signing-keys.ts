import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  hash,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { decodeBase64url, encodeBase64url, parsePublicJwk, type Seconds, thumbprintInput } from '@holdfast/pop'
import { generateKeyFor } from '@holdfast/pop/certificates'
import type { SigningAlgorithm, SigningKey } from '../model/signing-key.ts'
import type { Store } from '../ports/store.ts'
import { SettingsError } from '../settings.ts'

/** The encryption key is not the one under which a signing key was sealed. */
export class SealedKeyError extends SettingsError {
  constructor(kid: string, cause?: unknown) {
    super(
      `keys.encryptionKey: does not open the signing key ${kid} of this database. Write the file of the key that the database was made with; without it the signing keys are lost.`,
      { cause },
    )
  }
}

/** Makes a signing key that is next: its public half ready to publish, its private half sealed. RSA takes a while. */
export async function createSigningKey(
  algorithm: SigningAlgorithm,
  encryptionKey: Uint8Array,
  now: Seconds,
): Promise<SigningKey & { readonly stage: 'next' }> {
  const privateKey = await generateKeyFor(algorithm)
  const jwk = parsePublicJwk(createPublicKey(privateKey).export({ format: 'jwk' }))
  if (!jwk) throw new Error(`The platform made a key for ${algorithm} that nobody would accept.`)
  const kid = hash('sha256', thumbprintInput(jwk), 'base64url')
  return {
    kid,
    algorithm,
    publicJwk: JSON.stringify({ ...jwk, alg: algorithm, use: 'sig', kid }),
    sealed: seal(privateKey, kid, encryptionKey),
    created: now,
    stage: 'next',
  }
}

/** Opens the private half of a signing key. @throws {@link SealedKeyError} */
export function openSealedKey(
  { kid, sealed }: Pick<SigningKey, 'kid' | 'sealed'>,
  encryptionKey: Uint8Array,
): KeyObject {
  const [version, text = ''] = sealed.split('.', 2)
  const bytes = decodeBase64url(text)
  if (version !== 'v1' || !bytes || bytes.length < tagLength) throw new SealedKeyError(kid)
  const { key, nonce } = lockOf(kid, encryptionKey)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, gcm).setAuthTag(bytes.subarray(-tagLength))
  try {
    const der = Buffer.concat([decipher.update(bytes.subarray(0, -tagLength)), decipher.final()])
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } catch (cause) {
    throw new SealedKeyError(kid, cause)
  }
}

/**
 * Each algorithm has an active key and a next one: those that are missing are made. Safe to run in several processes.
 * @throws {@link SealedKeyError} when the keys that are there were sealed under another encryption key
 */
export async function ensureSigningKeys(
  store: Store,
  algorithms: readonly SigningAlgorithm[],
  encryptionKey: Uint8Array,
  now: Seconds,
): Promise<void> {
  const keys = await store.listSigningKeys()
  requireOpens(keys, encryptionKey)
  const candidates: SigningKey[] = []
  for (const algorithm of new Set(algorithms)) {
    const stages = new Set(keys.filter((key) => key.algorithm === algorithm).map(({ stage }) => stage))
    if (!stages.has('active')) {
      const key = await createSigningKey(algorithm, encryptionKey, now)
      candidates.push({ ...key, stage: 'active', since: now })
    }
    if (!stages.has('next')) candidates.push(await createSigningKey(algorithm, encryptionKey, now))
  }
  if (candidates.length > 0) await store.ensureSigningKeys(candidates)
}

/** Whose turn it is at a rotation. */
export interface Rotation {
  readonly algorithm: SigningAlgorithm
  readonly encryptionKey: Uint8Array
  readonly now: Seconds
  /** How long the retired key stays published: the longest lifetime of a token, and what clocks may differ by. */
  readonly lifetime: Seconds
  /** Only where the active key has been so since this moment, or longer. */
  readonly since?: Seconds
}

/**
 * The next key signs from now on, the active one only verifies. Signers notice at their next `reload()`.
 * @returns false when the algorithm has no next key, or another node has just rotated it
 * @throws {@link SealedKeyError}
 */
export async function rotateSigningKey(
  store: Store,
  { algorithm, encryptionKey, now, lifetime, since }: Rotation,
): Promise<boolean> {
  requireOpens(await store.listSigningKeys(), encryptionKey)
  const fresh = await createSigningKey(algorithm, encryptionKey, now)
  return await store.rotateSigningKey({
    algorithm,
    now,
    expires: now + lifetime,
    fresh,
    ...(since !== undefined && { since }),
  })
}

/**
 * Takes a key away that somebody else may have. Signers notice at their next `reload()`.
 * @returns false when there is no such key
 * @throws {@link SealedKeyError}
 */
export async function revokeSigningKey(
  store: Store,
  { kid, encryptionKey, now }: Pick<Rotation, 'encryptionKey' | 'now'> & { readonly kid: string },
): Promise<boolean> {
  const keys = await store.listSigningKeys()
  requireOpens(keys, encryptionKey)
  const key = keys.find((each) => each.kid === kid)
  if (!key) return false
  return await store.revokeSigningKey({ kid, now, fresh: await createSigningKey(key.algorithm, encryptionKey, now) })
}

const tagLength = 16
const gcm = { authTagLength: tagLength }

function seal(privateKey: KeyObject, kid: string, encryptionKey: Uint8Array): string {
  const { key, nonce } = lockOf(kid, encryptionKey)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, gcm)
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  return `v1.${encodeBase64url(Buffer.concat([cipher.update(der), cipher.final(), cipher.getAuthTag()]))}`
}

/**
 * Each kid has a lock of its own, which ever seals one thing, the private half that belongs to that thumbprint: so the
 * nonce needs no randomness, and nothing sealed for one kid opens for another.
 */
function lockOf(kid: string, encryptionKey: Uint8Array): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const bytes = new Uint8Array(hkdfSync('sha256', encryptionKey, '', `holdfast signing key v1 ${kid}`, 44))
  return { key: bytes.subarray(0, 32), nonce: bytes.subarray(32) }
}

/** Keys sealed under two encryption keys would be of no use to anybody, so the newest must open before one is made. */
function requireOpens(keys: readonly SigningKey[], encryptionKey: Uint8Array): void {
  const newest = keys.at(-1)
  if (newest) openSealedKey(newest, encryptionKey)
}
