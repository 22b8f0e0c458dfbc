import type { Clock } from '@holdfast/pop'
import { createAttempts, passwordLimit } from './client-authentication/attempts.ts'
import type { Turns } from './client-authentication/stretched.ts'
import type { Context } from './context.ts'
import { endpoints } from './endpoints/metadata.ts'
import type { Metrics } from './http/metrics.ts'
import { createDirectory } from './people/directory.ts'
import type { People } from './ports/people.ts'
import type { Store } from './ports/store.ts'
import type { Settings } from './settings.ts'
import type { ReplayMemory } from './store/redis-replay.ts'
import { openSqliteStore } from './store/sqlite.ts'

/** Opens the store that the settings name. The client of PostgreSQL is loaded where it is used. */
export async function openStore(
  settings: Settings['store'],
  { now, report }: Pick<Context, 'now' | 'report'>,
): Promise<Store> {
  if (settings.postgres === undefined) return await openSqliteStore({ file: settings.file, report })
  const { openPostgresStore } = await import('./store/postgres.ts')
  return await openPostgresStore({ url: settings.postgres, connections: settings.connections, now, report })
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
  const { createMetrics } = await import('./http/metrics.ts')
  return createMetrics(new Set(endpoints.flatMap(({ paths }) => paths(settings))))
}

/** Opens the embedded directory of people. */
export function openPeople(
  { issuer, people: { directory } }: Settings,
  { now, ...rest }: { readonly now: Clock; readonly random: Context['primitives']['random']; readonly turns: Turns },
): Promise<People> {
  return createDirectory(directory, { issuer, attempts: createAttempts(now, passwordLimit), ...rest })
}

/** Creates the clients of other providers. They are loaded where there are any. */
export async function openUpstreams({ people, outbound }: Settings): Promise<Context['upstreams']> {
  if (people.upstream.length === 0) return []
  const { createUpstream } = await import('./people/upstream.ts')
  return people.upstream.map((each) => createUpstream(each, outbound))
}
