import type { Context } from './context.ts'
import type { Metrics } from './http/operations/metrics.ts'
import type { Operations } from './http/operations/operations.ts'
import type { Probes } from './http/operations/probes.ts'
import type { Tracing } from './http/operations/tracing.ts'
import { createDirectory, type DirectoryContext } from './people/directory.ts'
import type { People } from './ports/people.ts'
import type { Report } from './ports/report.ts'
import type { Store } from './ports/store.ts'
import type { Settings } from './settings.ts'
import type { ReplayMemory } from './store/redis-replay.ts'
import { openSqliteStore } from './store/sqlite/sqlite.ts'

/** Opens the store that the settings name. The client of PostgreSQL is loaded where it is used. */
export async function openStore(
  settings: Settings['store'],
  { now, report, patience }: Pick<Context, 'now' | 'report'> & { readonly patience: number },
): Promise<Store> {
  if (settings.postgres === undefined) return await openSqliteStore({ file: settings.file, report })
  const { openPostgresStore } = await import('./store/postgres/postgres.ts')
  return await openPostgresStore({ url: settings.postgres, connections: settings.connections, now, report, patience })
}

/** Opens the memory of used proofs, where it is not the store. The client of Redis is loaded where it is used. */
export async function openReplay(
  { redis, cluster }: Settings['replay'],
  context: Pick<Context, 'now' | 'report'>,
): Promise<ReplayMemory | undefined> {
  if (!redis) return undefined
  const { openRedisReplay } = await import('./store/redis-replay.ts')
  return await openRedisReplay(redis, cluster, context)
}

/** Creates the counters, where somebody looks at them. */
export async function openMetrics(settings: Settings): Promise<Metrics | undefined> {
  if (!settings.operations) return undefined
  const { createMetrics } = await import('./http/operations/metrics.ts')
  return createMetrics()
}

/** Makes spans, where the settings want them. Nothing of OpenTelemetry is loaded otherwise. */
export async function openTracing(
  { tracing }: Settings,
  report: (report: Report) => void,
): Promise<Tracing | undefined> {
  if (!tracing) return undefined
  const { createTracing } = await import('./http/operations/tracing.ts')
  return createTracing(report)
}

/** Creates the listener for operations, where there is one. */
export async function openOperations(
  settings: Settings['operations'],
  probes: Probes,
): Promise<Operations | undefined> {
  if (!settings) return undefined
  const { createOperations } = await import('./http/operations/operations.ts')
  return createOperations(settings, probes)
}

/** Opens the embedded directory of people. */
export function openPeople(
  { issuer, people: { directory } }: Settings,
  context: Omit<DirectoryContext, 'issuer'>,
): Promise<People> {
  return createDirectory(directory, { issuer, ...context })
}

/** Creates the clients of other providers. They are loaded where there are any. */
export async function openUpstreams({ people, outbound }: Settings): Promise<Context['upstreams']> {
  if (people.upstream.length === 0) return []
  const { createUpstream } = await import('./people/upstream.ts')
  return people.upstream.map((each) => createUpstream(each, outbound))
}
