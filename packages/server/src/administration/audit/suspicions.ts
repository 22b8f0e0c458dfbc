import { type Clock, type Reason, refusals, type Seconds } from '@holdfast/pop'
import { networkOf } from '../../client-authentication/attempts.ts'
import type { AuditEntry, AuditStamp } from '../../model/audit.ts'
import type { Report } from '../../ports/report.ts'
import type { Store } from '../../ports/store.ts'

/** Records what looks like an attack. Nobody waits for it, and nobody can fill the log with it. */
export interface Suspicions {
  /** Takes note of what is reported, and answers at once: that a request is declined does not hang on it. */
  note(report: Report): void
  /** Records what was only counted since the last entry of its kind, where that is a window ago. Every ten seconds by itself. */
  settle(): void
  /** Records what was only counted, and waits until everything is recorded, or cannot be. */
  close(): Promise<void>
}

/** Why something is refused that whoever has stolen something, or guesses, runs into; and whatever is had too often. */
const suspicious: ReadonlySet<Reason> = new Set<Reason>([
  'assertion_replayed',
  'dpop_replayed',
  'code_replayed',
  'refresh_token_replayed',

  'code_of_another_client',
  'refresh_token_of_another_client',
  'device_code_of_another_client',
  'code_key_not_shown',
  'refresh_token_key_not_shown',
  'device_code_key_not_shown',
  'subject_token_key_not_shown',
  'confirmation_certificate_missing',
  'confirmation_certificate_differs',
  'confirmation_proof_missing',
  'confirmation_proof_differs',
  'token_is_dpop',

  'code_tries_exhausted',
])

/** One entry for each kind in this time. */
const window: Seconds = 60

/** How often what was only counted is looked at, in milliseconds. */
const interval = 10_000

/** So many kinds are told apart at a time: by reason, client and network. More go together, by reason alone. */
const mostKinds = 100

/** So many of them by client, of one network: whoever makes clients up leaves room for what others suffer. */
const mostOfNetwork = 20

interface Kind {
  readonly entry: AuditEntry
  /** When the next entry may be made. */
  until: Seconds
  /** What happened since the last one. */
  count: number
}

/** Creates the record of suspicions of one process. */
export function createSuspicions({
  store,
  audit,
  now,
  report,
}: {
  readonly store: Pick<Store, 'recordAudit'>
  readonly audit: (entry: AuditEntry) => AuditStamp
  readonly now: Clock
  readonly report: (report: Report) => void
}): Suspicions {
  const kinds = new Map<string, Kind>()
  const underWay = new Set<Promise<void>>()

  function record(kind: Kind, untold: number): void {
    const { entry } = kind
    kind.until = now() + window
    kind.count = 0
    const recording = store
      .recordAudit(audit(untold === 0 ? entry : { ...entry, details: { count: untold } }))
      .catch((cause: unknown) => {
        kind.count += Math.max(untold, 1)
        report({ level: 'error', event: 'audit_not_recorded', cause })
      })
      .finally(() => underWay.delete(recording))
    underWay.add(recording)
  }

  function settle(isOver: (kind: Kind) => boolean): void {
    for (const [key, kind] of kinds) {
      if (!isOver(kind)) continue
      if (kind.count > 0) record(kind, kind.count)
      else kinds.delete(key)
    }
  }

  const settleOld = (): void => {
    const moment = now()
    // More than a window is left where the clock was put back.
    settle(({ until }) => until <= moment || until > moment + window)
  }
  /** The same, with as much of its source as there is room for. */
  function fitted(found: AuditEntry): AuditEntry {
    if (kinds.has(keyOf(found))) return found
    const network = networkOf(found.address ?? '')
    const beside = [...kinds.values()].filter(
      ({ entry: { client, address = '' } }) => client !== undefined && networkOf(address) === network,
    )
    const entry = beside.length < mostOfNetwork ? found : withoutClient(found)
    return kinds.has(keyOf(entry)) || kinds.size < mostKinds ? entry : withoutSource(found)
  }

  const timer = setInterval(settleOld, interval).unref()
  return {
    note(each) {
      const found = entryOf(each)
      if (!found) return
      const entry = fitted(found)
      const kind = kinds.get(keyOf(entry))
      if (kind) kind.count++
      else {
        const begun = { entry, until: 0, count: 0 }
        kinds.set(keyOf(entry), begun)
        record(begun, 0)
      }
    },
    settle: settleOld,
    async close() {
      clearInterval(timer)
      settle(() => true)
      await Promise.all(underWay)
    },
  }
}

/** What the log says of a report: nothing of most. The client is the one that the request names, proven or not. */
function entryOf({ event, reason, client, address, request }: Report): AuditEntry | undefined {
  const from = address ?? request?.address
  const source = { ...(client !== undefined && { client }), ...(from !== undefined && { address: from }) }
  if (event === 'sign_in_failed') return { event, ...source }
  if (event !== 'refused' || reason === undefined || !isReason(reason)) return undefined
  if (reason === 'upstream_person_unknown') return { event: 'sign_in_failed', ...source, reason }
  return isSuspicious(reason) ? { event: 'attack_suspected', ...source, reason } : undefined
}

function isSuspicious(reason: Reason): boolean {
  return suspicious.has(reason) || refusals[reason].error === 'too_many_requests'
}

function isReason(reason: string): reason is Reason {
  return Object.hasOwn(refusals, reason)
}

function keyOf({ event, reason, client, address = '' }: AuditEntry): string {
  return JSON.stringify([event, reason, client, networkOf(address)])
}

function withoutClient({ client: _, ...entry }: AuditEntry): AuditEntry {
  return entry
}

function withoutSource({ event, reason }: AuditEntry): AuditEntry {
  return { event, ...(reason !== undefined && { reason }) }
}
