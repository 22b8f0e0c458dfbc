/** Says whether SQLite failed for a reason that lies outside of what it was asked. */
export function isOutage(cause: unknown): boolean {
  return isFatal(cause) || outages.has(codeOf(cause))
}

/** Says whether another process holds the lock. */
export function isLocked(cause: unknown): boolean {
  return codeOf(cause) === codes.SQLITE_BUSY
}

/** What a failure means for what comes next. After a fatal one the database must not be used. */
export type FailureKind = 'fatal' | 'full' | 'locked' | 'other'

/** Tells kinds of failure apart. */
export function kindOf(cause: unknown): FailureKind {
  if (isFatal(cause)) return 'fatal'
  if (codeOf(cause) === codes.SQLITE_FULL) return 'full'
  return isLocked(cause) ? 'locked' : 'other'
}

/** What went wrong, with SQLite's own number for it. */
export function sentenceOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return 'errcode' in cause ? `${cause.message} (${cause.errcode})` : cause.message
}

const codes = {
  SQLITE_BUSY: 5,
  SQLITE_NOMEM: 7,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_NOTADB: 26,
} as const

const fatal: ReadonlySet<number> = new Set([codes.SQLITE_IOERR, codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB])
const outages: ReadonlySet<number> = new Set([
  codes.SQLITE_BUSY,
  codes.SQLITE_NOMEM,
  codes.SQLITE_FULL,
  codes.SQLITE_CANTOPEN,
])

/** Says whether what the disk holds is no longer known: only a new start finds out. */
function isFatal(cause: unknown): boolean {
  return fatal.has(codeOf(cause))
}

/** The low byte: the rest of the number says more about the same thing. */
function codeOf(cause: unknown): number {
  if (!(cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number')) return 0
  return cause.errcode & 0xff
}
