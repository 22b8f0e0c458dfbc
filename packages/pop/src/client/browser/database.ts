import { ClientError } from '../client-error.ts'

/** What an atomic change does: what is there from now on, absent when nothing is, and what the caller gets. */
export interface Change<T> {
  readonly next?: unknown
  readonly result: T
}

/** Values by name, in the storage of one origin, shared by its tabs. */
export interface Database {
  readonly find: (name: string) => Promise<unknown>
  /** Reads and writes in one step: no other tab comes between. */
  readonly change: <T>(name: string, change: (value: unknown) => Change<T>) => Promise<T>
  /** Forgets everything. */
  readonly clear: () => Promise<void>
}

/** The one object store. */
const place = 'kept'

/**
 * Opens a database when it is first needed, and again when the browser has closed it.
 * @throws {@link ClientError} `key_store_unavailable`, from every call
 */
export function openDatabase(name: string, factory: IDBFactory): Database {
  let opened: Promise<IDBDatabase> | undefined

  const forget = (): void => {
    opened = undefined
  }

  const open = (): Promise<IDBDatabase> =>
    new Promise((resolve, reject) => {
      const request = factory.open(name, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(place)
      request.onerror = () => reject(unavailable(request.error))
      request.onblocked = () => reject(unavailable(undefined, 'Another tab holds it.'))
      request.onsuccess = () => {
        const database = request.result
        database.onclose = forget
        database.onversionchange = () => {
          database.close()
          forget()
        }
        resolve(database)
      }
    })

  const transact = async <T>(
    mode: IDBTransactionMode,
    work: (values: IDBObjectStore, give: (result: T) => void) => void,
  ): Promise<T> => {
    const begin = async (): Promise<IDBTransaction> => {
      opened ??= open()
      return (await opened).transaction(place, mode)
    }
    try {
      // A connection that the browser has lost says so when it is used.
      const transaction = await begin().catch(() => {
        forget()
        return begin()
      })
      return await new Promise<T>((resolve, reject) => {
        let answer: { readonly result: T } | undefined
        transaction.oncomplete = () => (answer ? resolve(answer.result) : reject(unavailable(undefined)))
        transaction.onabort = () => reject(unavailable(transaction.error))
        work(transaction.objectStore(place), (result) => {
          answer = { result }
        })
      })
    } catch (cause) {
      forget()
      throw cause instanceof ClientError ? cause : unavailable(cause)
    }
  }

  return {
    find: (key) =>
      transact<unknown>('readonly', (values, give) => {
        const request = values.get(key)
        request.onsuccess = () => give(request.result)
      }),
    change: (key, change) =>
      transact('readwrite', (values, give) => {
        const request = values.get(key)
        request.onsuccess = () => {
          const { next, result } = change(request.result)
          if (next === undefined) values.delete(key)
          else values.put(next, key)
          give(result)
        }
      }),
    clear: () =>
      transact<void>('readwrite', (values, give) => {
        values.clear()
        give()
      }),
  }
}

function unavailable(cause: unknown, detail?: string): ClientError {
  const said = detail ?? (cause instanceof Error ? `The browser says: ${cause.name}.` : undefined)
  return new ClientError('key_store_unavailable', { detail: said, cause })
}
