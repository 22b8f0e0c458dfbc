import type { Server } from 'node:net'
import type { Report } from '../ports/report.ts'

/** How often it is reported that connections are dropped, in milliseconds. */
const silence = 10_000

/**
 * Creates the limit of a listener: so many connections are open at each of its addresses. Another one is closed before its
 * handshake; those that are open do not notice.
 */
export function createConnectionLimit(most: number, report: (report: Report) => void): (door: Server) => void {
  let [dropped, reported] = [0, Number.NEGATIVE_INFINITY]
  const complain = (): void => {
    dropped++
    if (performance.now() - reported < silence) return
    report({ level: 'warn', event: 'connections_dropped', seen: `${dropped} since the last report, ${most} are open` })
    reported = performance.now()
    dropped = 0
  }
  return (door) => {
    // Among workers it is not handed to the next one: all of them may be full.
    Object.assign(door, { maxConnections: most, dropMaxConnection: true })
    door.on('drop', complain)
  }
}
