/** Says whether a change lost to another one at the same time and was undone: it may be tried again. */
export function isConflict(cause: unknown): boolean {
  return conflicts.has(codeOf(cause))
}

/** Says whether PostgreSQL failed for a reason that lies outside of what it was asked. */
export function isOutage(cause: unknown): boolean {
  const code = codeOf(cause)
  return isConflict(cause) || outages.has(code.slice(0, 2)) || broken.has(code) || isLostConnection(cause)
}

/** serialization_failure, deadlock_detected */
const conflicts: ReadonlySet<string> = new Set(['40001', '40P01'])

/** Classes: connection, insufficient resources, operator intervention (shut down, cancelled), system and internal error; read-only. */
const outages: ReadonlySet<string> = new Set(['08', '53', '57', '58', 'XX'])

/** A standby that cannot write; a lock that did not come in time. Then the system's own. */
const broken: ReadonlySet<string> = new Set([
  '25006',
  '55P03',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])

/** `pg` has no codes for these. */
function isLostConnection(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    /^(Connection terminated|Client has encountered a connection error|timeout exceeded|Query read timeout|Cannot use a pool)/.test(
      cause.message,
    )
  )
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
}
