import type { Clients } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Store } from '../ports/store.ts'

/** So many clients of the store are kept in memory; the oldest are read again. */
const mostKept = 10_000

/** The clients of the settings and of the store, kept in memory: found without the database once they have been seen. */
export function createClients(configured: readonly Client[], store: Pick<Store, 'findClient'>): Clients {
  const fixed = new Map(configured.map((client) => [client.client_id, client]))
  let kept = new Map<string, Client>()

  const read = async (clientId: string): Promise<Client | undefined> => {
    const into = kept
    const client = await store.findClient(clientId)
    if (!client) return undefined
    const [oldest] = into.keys()
    if (into.size >= mostKept && oldest !== undefined) into.delete(oldest)
    into.set(clientId, client)
    return client
  }

  return {
    find: (clientId) => fixed.get(clientId) ?? kept.get(clientId) ?? read(clientId),
    forget() {
      kept = new Map()
    },
  }
}
