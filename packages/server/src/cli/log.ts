import pino from 'pino'
import type { Report } from '../ports/report.ts'
import type { Settings } from '../settings.ts'
import { type Lines, openLines } from './log-lines.ts'

/** Tells what happens in a server. */
export interface Log {
  readonly report: (report: Report) => void
  /** How many lines were lost so far: nobody took them. */
  readonly lost: () => number
  /** Nothing more will be told. */
  readonly end: () => void
}

/** Writes what happens in a server as lines of JSON on standard output. */
export function createLog({ level }: Settings['log'], lines: Lines = openLines()): Log {
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => lines.write(line.replace(unprintable, escaped)) },
  )
  return {
    report({ level: of, event, cause, seen, request, ...rest }) {
      const lost = lines.takeLost()
      if (lost > 0) logger.error({ event: 'log_lines_lost', seen: String(lost) })
      logger[of]({
        ...{ event, ...rest },
        ...(seen !== undefined && { seen: shortened(seen) }),
        ...request,
        ...(cause !== undefined && { cause: shortened(causeOf(cause)) }),
      })
    },
    lost: () => lines.lost(),
    end: () => lines.end(),
  }
}

/** What a terminal may take for a command or the end of a line, or what turns the text after it around. */
const unprintable = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Whoever made a text, the line that it is in stays one that a pipe takes whole. */
function shortened(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}

const longest = 500

/** The chain of causes, in their own words. Of several that failed together the first one stands for all. */
function causeOf(cause: unknown, depth = 0): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause.cause
  const below = inner === undefined || depth === deepest ? '' : ` <- ${causeOf(inner, depth + 1)}`
  return `${cause.name}: ${cause.message}${below}`
}

const deepest = 5
