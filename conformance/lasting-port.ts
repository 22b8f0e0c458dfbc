import { createServer } from 'node:net'
import process from 'node:process'

const taken = new Set<number>()

/**
 * A port for a server that is stopped and started again: none of those that systems lend to connections, which could take
 * it meanwhile. Its neighbour 10,000 above is free too, where nodes of a Redis cluster speak to each other.
 */
export async function lastingPort(): Promise<number> {
  for (let port = 11_000 + (process.pid % 1000) * 10; ; port++) {
    if (taken.has(port) || !(await isFree(port)) || !(await isFree(port + 10_000))) continue
    taken.add(port)
    return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
