import type { Awaitable } from '@holdfast/pop'
import type { Clients } from '../context.ts'
import { type Client, isClientId } from '../model/client.ts'
import type { Store } from '../ports/store.ts'

/** So many clients of the store are kept in memory; the oldest are read again. */
const mostKept = 10_000

/** What was read from the store since the last change. */
interface Kept {
  readonly clients: Map<string, Client>
  origins?: Awaitable<ReadonlySet<string>> | undefined
}

/** The clients of the settings and of the store, kept in memory: found without the database once they have been seen. */
export function createClients(
  configured: readonly Client[],
  store: Pick<Store, 'findClient' | 'listWebOrigins'>,
): Clients {
  const fixed = new Map(configured.map((client) => [client.client_id, client]))
  const fixedOrigins = new Set(configured.flatMap(({ web_origins, disabled }) => (disabled ? [] : web_origins)))
  let kept: Kept = { clients: new Map() }

  const read = async (clientId: string): Promise<Client | undefined> => {
    const into = kept.clients
    const client = await store.findClient(clientId)
    if (!client) return undefined
    const [oldest] = into.keys()
    if (into.size >= mostKept && oldest !== undefined) into.delete(oldest)
    into.set(clientId, client)
    return client
  }

  /** While the store cannot be read, only the settings count. */
  const readOrigins = async (into: Kept): Promise<ReadonlySet<string>> => {
    try {
      into.origins = new Set([...fixedOrigins, ...(await store.listWebOrigins())])
      return into.origins
    } catch {
      into.origins = undefined
      return fixedOrigins
    }
  }

  return {
    find: (clientId) =>
      fixed.get(clientId) ?? kept.clients.get(clientId) ?? (isClientId(clientId) ? read(clientId) : undefined),
    webOrigins() {
      kept.origins ??= readOrigins(kept)
      return kept.origins
    },
    forget() {
      kept = { clients: new Map() }
    },
  }
}
