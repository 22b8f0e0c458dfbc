import { hkdfSync } from 'node:crypto'
import type { Store } from '../../ports/store.ts'
import { SettingsError } from '../../settings.ts'
import type { Sealing } from './sealing.ts'
import { signingKeyLabel } from './signing-keys.ts'

/** What the server's secret is sealed as. */
export const secretLabel = { kind: 'server secret', id: '' } as const

/** What the server's secret is needed for. */
export type Purpose = 'DPoP nonces' | 'pairwise subjects' | 'audit log'

interface SecretParts {
  readonly store: Pick<Store, 'ensureSecret' | 'listSigningKeys'>
  readonly sealing: Sealing
  readonly random: (length: number) => Uint8Array
}

/**
 * Opens the server's secret, 32 bytes that outlive every encryption key. Made by the first of all starts; however many
 * there are at once, all get the same.
 * @throws {@link SettingsError} when no encryption key opens it
 */
export async function ensureServerSecret({ store, sealing, random }: SecretParts): Promise<Uint8Array> {
  const candidate = (await findFormerSecret({ store, sealing })) ?? random(32)
  const opened = sealing.open(secretLabel, await store.ensureSecret({ sealed: sealing.seal(secretLabel, candidate) }))
  if (opened) return opened.bytes
  throw new SettingsError(
    'keys.encryptionKey: does not open the secret of this database. Write the file of the key under which it is sealed, here or in keys.otherEncryptionKeys; without it pairwise subjects and the audit log are lost.',
  )
}

/** Derives the key of one purpose. RFC 5869. */
export function deriveKey(secret: Uint8Array, purpose: Purpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `holdfast ${purpose}`, 32))
}

/**
 * A database that has signing keys and no secret is of a Holdfast that derived its keys from the encryption key itself:
 * that stays their secret, or every pairwise subject would be another person from one start to the next.
 */
async function findFormerSecret({
  store,
  sealing,
}: Pick<SecretParts, 'store' | 'sealing'>): Promise<Uint8Array | undefined> {
  const keys = await store.listSigningKeys()
  const newest = keys.at(-1)
  return newest && sealing.open(signingKeyLabel(newest.kid), newest.sealed)?.encryptionKey
}
