import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { decodeBase64url, encodeBase64url } from '@holdfast/pop'

/** Seals what is kept under the first of some encryption keys, and opens what was sealed under any of them. */
export interface Sealing {
  seal(label: Label, bytes: Uint8Array): string
  /** @returns undefined for what no key opens, or was sealed with another label */
  open(label: Label, sealed: string): Opened | undefined
}

/** What is sealed: it opens as this and nothing else. */
export interface Label {
  readonly kind: 'signing key' | 'server secret'
  /** Which one, where there are several. */
  readonly id: string
}

/** What was sealed, and under which key. */
export interface Opened {
  readonly bytes: Uint8Array
  readonly encryptionKey: Uint8Array
  /** It is the first key. */
  readonly isCurrent: boolean
}

/** The encryption keys, 32 bytes each: the first seals, all open. */
export type EncryptionKeys = readonly [Uint8Array, ...(readonly Uint8Array[])]

/**
 * Creates a sealing: AES-256-GCM under a key that is derived for the label, and a random nonce. What Holdfast sealed
 * before it had several encryption keys (`v1`) opens too.
 */
export function createSealing(encryptionKeys: EncryptionKeys, random: (length: number) => Uint8Array): Sealing {
  const [first] = encryptionKeys
  return {
    seal(label, bytes) {
      const nonce = random(nonceLength)
      const cipher = createCipheriv(algorithm, lockOf('v2', label, first).subarray(0, keyLength), nonce, gcm)
      const parts = [nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]
      return `v2.${encodeBase64url(Buffer.concat(parts))}`
    },
    open(label, sealed) {
      for (const encryptionKey of encryptionKeys) {
        const bytes = tryKey(label, sealed, encryptionKey)
        if (bytes) return { bytes, encryptionKey, isCurrent: encryptionKey === first }
      }
      return undefined
    },
  }
}

const algorithm = 'aes-256-gcm'
const keyLength = 32
const nonceLength = 12
const tagLength = 16
const gcm = { authTagLength: tagLength }

function tryKey(label: Label, sealed: string, encryptionKey: Uint8Array): Uint8Array | undefined {
  const [version, text = ''] = sealed.split('.', 2)
  const bytes = decodeBase64url(text)
  if (!bytes || (version !== 'v1' && version !== 'v2')) return undefined
  const lock = lockOf(version, label, encryptionKey)
  const nonce = version === 'v1' ? lock.subarray(keyLength) : bytes.subarray(0, nonceLength)
  const body = version === 'v1' ? bytes : bytes.subarray(nonceLength)
  if (nonce.length < nonceLength || body.length < tagLength) return undefined
  const decipher = createDecipheriv(algorithm, lock.subarray(0, keyLength), nonce, gcm)
  decipher.setAuthTag(body.subarray(-tagLength))
  try {
    return Buffer.concat([decipher.update(body.subarray(0, -tagLength)), decipher.final()])
  } catch {
    return undefined
  }
}

/** The key of a label and, in `v1`, the nonce with it: such a lock only ever sealed the one thing that its label names. */
function lockOf(version: 'v1' | 'v2', { kind, id }: Label, encryptionKey: Uint8Array): Uint8Array {
  const length = keyLength + nonceLength
  return new Uint8Array(hkdfSync('sha256', encryptionKey, '', `holdfast ${kind} ${version} ${id}`, length))
}
