/** Runs at most one task per key at a time: who comes meanwhile shares its outcome, good or bad. */
export type Flights<T> = (key: string, start: () => Promise<T>) => Promise<T>

/** Creates an empty set of running tasks. */
export function createFlights<T>(): Flights<T> {
  const running = new Map<string, Promise<T>>()
  return (key, start) => {
    const found = running.get(key)
    if (found !== undefined) return found
    const flight = start().finally(() => running.delete(key))
    running.set(key, flight)
    return flight
  }
}
