import type { Clock } from '@holdfast/pop'
import type { AuditEntry, AuditStamp } from '../model/audit.ts'
import type { Signer } from '../ports/signer.ts'
import type { Store } from '../ports/store.ts'
import type { Settings } from '../settings.ts'

/** What the commands work on. */
export interface AdministrationContext {
  readonly settings: Settings
  readonly store: Store
  readonly signer: Signer
  readonly now: Clock
  readonly random: (length: number) => Uint8Array
  /** Encrypts the private halves of new signing keys. */
  readonly encryptionKey: Uint8Array
  readonly audit: (entry: AuditEntry) => AuditStamp
  /** A client of the store was added, changed or removed: caches forget it. */
  readonly onClientsChanged: (clientId: string) => void
}
