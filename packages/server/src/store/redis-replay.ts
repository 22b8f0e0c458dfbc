import type { Clock, Replay } from '@holdfast/pop'
import { createRedisReplay, requireNoEviction } from '@holdfast/pop/resource/node'
import { Cluster, Redis } from 'ioredis'
import type { Report } from '../ports/report.ts'
import { SettingsError } from '../settings.ts'

/** The memory of used proofs, and its connections. */
export interface ReplayMemory extends Replay {
  readonly close: () => Promise<void>
}

/**
 * How often it is looked whether the server would forget something, and whether it is better where it was not well;
 * failures are told at most so often, in milliseconds.
 */
const lookEvery = 30_000
const lookAgainAfter = 1000
const tellEvery = 10_000

/** Nothing is queued for a server that is away: a request is declined at once, and its client comes again. */
const connection = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2000,
  commandTimeout: 1000,
  retryStrategy: (attempt: number) => Math.min(100 * attempt, 2000),
} as const

/**
 * Opens the memory of used proofs in Redis or Valkey. While it is away, or would forget something, proofs are declined with
 * 503; everything else goes on.
 * @throws {@link SettingsError} when it would forget something already, or an address cannot be read
 */
export async function openRedisReplay(
  addresses: readonly string[],
  isCluster: boolean,
  { now, report }: { readonly now: Clock; readonly report: (report: Report) => void },
): Promise<ReplayMemory> {
  const redis = connectTo(addresses, isCluster)
  const replay = createRedisReplay(redis)
  const tell = seldom(report)
  redis.on('error', (cause) => tell(withoutCommand(cause)))
  await firstConnection(redis)

  let unfit: Error | undefined
  let looked = 0
  const look = async (): Promise<void> => {
    looked = Date.now()
    try {
      await requireNoEviction(redis)
      await replay.begin(now())
      unfit = undefined
    } catch (cause) {
      unfit = withoutCommand(cause)
      tell(unfit)
    }
  }
  await look()
  if (redis.status === 'ready' && unfit) {
    redis.disconnect()
    throw new SettingsError(`replay.redis: ${unfit.message}`)
  }
  const isDue = () => unfit !== undefined || Date.now() - looked >= lookEvery
  const looking = setInterval(() => isDue() && void look(), lookAgainAfter).unref()
  redis.on('ready', () => void look())
  return {
    use: async (use, now) => {
      if (unfit) throw unfit
      try {
        return await replay.use(use, now)
      } catch (cause) {
        tell(withoutCommand(cause))
        throw cause
      }
    },
    close: async () => {
      clearInterval(looking)
      redis.removeAllListeners('ready')
      redis.disconnect()
    },
  }
}

/** What was wrong, in words: the client's own errors hold the command that failed, and that of signing in the password. */
function withoutCommand(cause: unknown): Error {
  if (!(cause instanceof Error)) return new Error(String(cause))
  const inner = 'lastNodeError' in cause ? { cause: withoutCommand(cause.lastNodeError) } : undefined
  return new Error(cause.message, inner)
}

/** An outage is told, and not with every request. */
function seldom(report: (report: Report) => void): (cause: unknown) => void {
  let told = 0
  return (cause) => {
    if (Date.now() - told < tellEvery) return
    told = Date.now()
    report({ level: 'warn', event: 'replay_unavailable', cause })
  }
}

/** Waits until the server is there, or is not. */
async function firstConnection(redis: Redis | Cluster): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  redis.once('ready', resolve)
  setTimeout(resolve, connection.connectTimeout).unref()
  await promise
}

function connectTo(addresses: readonly string[], isCluster: boolean): Redis | Cluster {
  try {
    return connect(addresses, isCluster)
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause
    throw new SettingsError('replay.redis: user or password has a % that begins no %XX. Write %25 for the sign itself.')
  }
}

function connect(addresses: readonly string[], isCluster: boolean): Redis | Cluster {
  const [first = ''] = addresses
  if (!isCluster) return new Redis(first, connection)
  const { username, password, protocol } = new URL(first)
  const own = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
  return new Cluster(
    addresses.map((each) => ({ host: new URL(each).hostname, port: Number(new URL(each).port || 6379) })),
    {
      enableOfflineQueue: false,
      clusterRetryStrategy: connection.retryStrategy,
      redisOptions: { ...own, connectTimeout: connection.connectTimeout, commandTimeout: connection.commandTimeout },
    },
  )
}
