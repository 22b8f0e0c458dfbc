import { setTimeout } from 'node:timers/promises'
import { startRedis } from '../../conformance/redis-server.ts'
import { type Bench, stop } from '../bench.ts'
import { requireProgram } from '../left-out.ts'
import type { Result } from '../report.ts'
import { proving } from './issuance.ts'

/** A memory that begins declines the proofs of its first ten seconds, for clocks run ahead. */
const beginning = 12_000

/** Proofs that Redis remembers, against those that SQLite does. */
export async function redis(bench: Bench): Promise<Result> {
  requireProgram('redis-server')
  const server = await startRedis('--maxmemory-policy', 'noeviction')
  try {
    const ours = await bench.target('issuer-holdfast', {
      directory: bench.createFolder('redis'),
      settings: { replay: { redis: [server.url] } },
    })
    const other = await bench.target('issuer-holdfast')
    await setTimeout(beginning)
    const result = await bench.takeTurns('redis', {
      'in Redis': proving(ours, bench),
      'in SQLite': proving(other, bench),
    })
    await stop(ours, other)
    return result
  } finally {
    await server.stop()
  }
}
