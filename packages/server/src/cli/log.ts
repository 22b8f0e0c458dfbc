import pino from 'pino'
import type { Report } from '../ports/report.ts'
import type { Settings } from '../settings.ts'
import { type Lines, openLines } from './log-lines.ts'

/** Tells what happens in a server. */
export interface Log {
  readonly report: (report: Report) => void
  /** Nothing more will be told. */
  readonly end: () => void
}

/** Writes what happens in a server as lines of JSON on standard output. */
export function createLog({ level }: Settings['log'], lines: Lines = openLines()): Log {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, lines)
  return {
    report({ level: of, event, cause, request, ...rest }) {
      const lost = lines.takeLost()
      if (lost > 0) logger.error({ event: 'log_lines_lost', seen: String(lost) })
      logger[of]({ event, ...rest, ...request, ...(cause === undefined ? {} : { cause: causeOf(cause) }) })
    },
    end: () => lines.end(),
  }
}

/** The chain of causes, in their own words. */
function causeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause === undefined ? '' : ` <- ${causeOf(cause.cause)}`
  return `${cause.name}: ${cause.message}${inner}`
}
