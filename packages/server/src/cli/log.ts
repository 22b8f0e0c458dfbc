import pino from 'pino'
import type { Report } from '../ports/report.ts'
import type { Settings } from '../settings.ts'

/** Writes what happens in a server as lines of JSON on standard output. */
export function createLog({ level }: Settings['log']): (report: Report) => void {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime })
  return ({ level: of, event, cause, ...rest }) => {
    logger[of]({ event, ...rest, ...(cause === undefined ? {} : { cause: causeOf(cause) }) })
  }
}

/** The chain of causes, in their own words. */
function causeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause === undefined ? '' : ` <- ${causeOf(cause.cause)}`
  return `${cause.name}: ${cause.message}${inner}`
}
