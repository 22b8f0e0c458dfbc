import { X509Certificate } from 'node:crypto'
import type { Clock } from '@holdfast/pop'
import type { Report } from '../ports/report.ts'
import type { Listener } from '../settings.ts'

/** How many days before the end of a certificate its operator is told. */
const thresholds = [0, 1, 7, 30]

const day = 86_400

/**
 * Creates the watch over the end of certificates: each is told of 30 days before, 7, 1, and when it has ended.
 * @returns looks at what a listener serves at present
 */
export function createEndWatch(now: Clock, report: (report: Report) => void): (listener: Listener) => void {
  const told = new Map<string, number>()
  return ({ certificate, origin }) => {
    const ends = Math.floor(new X509Certificate(certificate).validToDate.getTime() / 1000)
    const left = ends - now()
    const threshold = thresholds.find((days) => left <= days * day)
    const key = `${origin} ${ends}`
    if (threshold === undefined || threshold >= (told.get(key) ?? Number.POSITIVE_INFINITY)) return
    told.set(key, threshold)
    const when = new Date(ends * 1000).toISOString()
    if (left <= 0) report({ level: 'error', event: 'certificate_ended', seen: `${origin}: ${when}` })
    else report({ level: 'warn', event: 'certificate_ends_soon', seen: `${origin}: ${when}` })
  }
}
