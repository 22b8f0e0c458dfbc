import { startPostgres } from '../../conformance/postgres-server.ts'
import { type Bench, stop } from '../bench.ts'
import { requireProgram } from '../left-out.ts'
import type { Result } from '../report.ts'
import { client, referenceClient } from '../target.ts'
import { asking } from './issuance.ts'

/** One process, and two that share a port and a database; nothing has a core of its own. */
export async function workers(bench: Bench): Promise<Readonly<Record<string, Result>>> {
  requireProgram('postgres')
  const database = await startPostgres()
  const load = await bench.startLoad()
  try {
    const start = async (count: number) =>
      bench.target('issuer-workers', {
        directory: bench.createFolder(`workers-${count}`),
        settings: {
          log: { requests: 'refused' },
          store: { postgres: await database.createDatabase() },
          keys: { encryptionKey: bench.encryptionKey },
        },
        workers: count,
        anywhere: true,
      })
    const [two, single] = [await start(2), await start(1)]
    const jwt = { 'two workers': asking(two, client), 'one worker': asking(single, client) }
    const reference = { 'two workers': asking(two, referenceClient), 'one worker': asking(single, referenceClient) }
    const results = {
      workers: await bench.takeTurns('workers', jwt, load),
      'workers-writing': await bench.takeTurns('workers-writing', reference, load),
    }
    await stop(two, single)
    return results
  } finally {
    await load.stop()
    await database.stop()
  }
}
