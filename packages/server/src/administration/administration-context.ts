import type { Clock } from '@holdfast/pop'
import type { AuditEntry, AuditStamp } from '../model/audit.ts'
import type { Signer } from '../ports/signer.ts'
import type { Store } from '../ports/store.ts'
import type { Settings } from '../settings.ts'
import type { Sealing } from './keys/sealing.ts'

/** What the commands work on. */
export interface AdministrationContext {
  readonly settings: Settings
  readonly store: Store
  readonly signer: Signer
  /** The application brings its signer: the keys are no business of ours. */
  readonly signsOutside?: boolean
  readonly now: Clock
  readonly random: (length: number) => Uint8Array
  /** Encrypts what is secret at rest. */
  readonly sealing: Sealing
  /** The server's own, from which keys are derived. */
  readonly secret: Uint8Array
  /** Seals the audit log. */
  readonly auditKey: Uint8Array
  readonly audit: (entry: AuditEntry) => AuditStamp
  /** A client of the store was added, changed or removed: caches forget it. */
  readonly onClientsChanged: (clientId: string) => void
}
