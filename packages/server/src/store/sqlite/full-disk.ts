import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import type { AuditStamp } from '../../model/audit.ts'
import type { Client } from '../../model/client.ts'
import type { Issue } from '../../ports/store.ts'
import type { Schema } from '../schema.ts'
import type { ChangeName } from '../verbs.ts'
import { type Call, type GroupOutcome, type Outcome, runGroup } from './group.ts'
import type { Reserve } from './reserve.ts'

/** The one who makes groups of changes, as far as the disk has room for them. */
export interface Changes {
  make(calls: readonly Call[]): Promise<GroupOutcome>
  /** Takes the reserve back when there is room again. @returns whether every change is made now */
  recover(): boolean
}

/** So few that they need little of the log at once. */
const smallGroup = 16

/**
 * Makes changes; on a full disk only those that end something, out of the reserve, until the reserve fits again.
 * @param onFull called when the reserve is given away
 */
export function createChanges(
  database: DatabaseSync,
  db: Kysely<Schema>,
  { reserve, onFull }: { readonly reserve: Reserve; readonly onFull: () => void },
): Changes {
  async function make(calls: readonly Call[]): Promise<GroupOutcome> {
    if (reserve.isHeld()) {
      const outcome = await runGroup(database, db, calls)
      if (!('failure' in outcome && outcome.kind === 'full')) return outcome
      reserve.release()
      onFull()
    }
    shorten(database)
    return await makeEndings(calls)
  }

  async function makeEndings(calls: readonly Call[]): Promise<GroupOutcome> {
    const outcomes: Outcome[] = calls.map(() => ({ refused: 'The disk is full.' }))
    const endings = [...calls.entries()].filter(([, call]) => mayUseReserve(call))
    for (let from = 0; from < endings.length; from += smallGroup) {
      const part = endings.slice(from, from + smallGroup)
      const made = await runGroup(
        database,
        db,
        part.map(([, call]) => call),
      )
      if ('failure' in made && made.kind === 'fatal') return made
      for (const [place, [index]] of part.entries())
        outcomes[index] = 'failure' in made ? { refused: made.failure } : (made.outcomes[place] ?? { refused: '' })
    }
    return { outcomes }
  }

  function recover(): boolean {
    const had = reserve.isHeld()
    if (!had && reserve.hold()) database.exec('pragma wal_autocheckpoint = 1000')
    return reserve.isHeld()
  }

  return { make, recover }
}

/** Puts what the log holds where it belongs, and uses it again from its beginning, so that it does not grow. */
function shorten(database: DatabaseSync): void {
  try {
    database.exec('pragma wal_autocheckpoint = 100; pragma wal_checkpoint(passive)')
  } catch {
    // Another program holds it, or there is no room even for that: the changes say so.
  }
}

/**
 * Says whether a change may still be made when the disk is full: what ends something, and what a start cannot do
 * without. Nothing that somebody unknown can cause, and so nothing that lets others use up the reserve.
 */
export function mayUseReserve({ verb, data }: Call): boolean {
  // as: each verb comes with its own data.
  switch (verb) {
    case 'audited':
      return mayUseReserve(data as Call)
    case 'issue':
      return (data as Issue).toEnd === true
    case 'replaceClient':
      return (data as Client).disabled
    case 'recordAudit':
      return recorded.has((data as AuditStamp).event)
    default:
      return endings.has(verb) || starts.has(verb)
  }
}

const endings: ReadonlySet<ChangeName> = new Set([
  'revokeReferenceToken',
  'revokeJwt',
  'revokeAuthorization',
  'revokeSigningKey',
  'deleteSession',
  'deleteClient',
  'endAll',
  'purge',
])
const starts: ReadonlySet<ChangeName> = new Set(['ensureSigningKeys', 'ensureSecret'])
const recorded: ReadonlySet<AuditStamp['event']> = new Set(['signed_out', 'server_started', 'server_stopped'])
