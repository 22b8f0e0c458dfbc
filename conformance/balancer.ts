import { get } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import type { NodePorts } from './served.ts'

/** For tests: a balancer that passes TLS through. */
export interface Balancer {
  readonly port: number
  /** How many connections it has given to each node. */
  readonly given: readonly number[]
  close(): Promise<void>
}

/**
 * For tests: opens a balancer before nodes. It gives new connections by turns to those whose `/readyz` is well, looked at each
 * 100 ms, and to the next one where a connection is refused. It repeats nothing else.
 */
export async function openBalancer(port: number, nodes: readonly NodePorts[]): Promise<Balancer> {
  const ready = nodes.map(() => false)
  const given = nodes.map(() => 0)
  const sockets = new Set<Socket>()
  let turn = 0
  const look = async (): Promise<void> => {
    await Promise.all(nodes.map(async ({ operations }, index) => (ready[index] = await isReady(operations))))
  }
  await look()
  const looking = setInterval(() => void look(), 100)

  const join = (near: Socket, tries: number): void => {
    const order = nodes.map((_, index) => (turn + index) % nodes.length)
    const index = order.find((each) => ready[each]) ?? order[0] ?? 0
    turn = index + 1
    const far = connect({ port: nodes[index]?.public ?? 0, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    far.once('connect', () => {
      given[index] = (given[index] ?? 0) + 1
      near.pipe(far).pipe(near)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one)
        one.on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
      }
    })
    far.on('error', (cause) => {
      const isRefused = 'code' in cause && cause.code === 'ECONNREFUSED'
      if (isRefused) ready[index] = false
      if (isRefused && tries > 0) join(near, tries - 1)
      else near.destroy()
    })
  }
  const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    near.on('error', () => near.destroy())
    join(near, nodes.length)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    given,
    async close() {
      clearInterval(looking)
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent: false, timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    }).on('error', () => resolve(false))
  })
}
