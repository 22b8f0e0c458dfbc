import { createServer, connect as open, type Server, type Socket } from 'node:net'

/** For tests: the way to a server, which can be made as bad as a network can be. */
export interface Pipe {
  readonly port: number
  /** How it treats connections from now on, those that are open too. */
  treat(treatment: Treatment): void
  /** Leads new connections to another port, and ends those that are open. */
  lead(port: number): void
  close(): Promise<void>
}

/** `delay`: each piece of an answer comes so many milliseconds late. `reject`: every connection is reset. */
type Treatment = 'pass' | 'reject' | { readonly delay: number }

/** For tests: opens a way to a port of this machine. */
export async function openPipe(target: number): Promise<Pipe> {
  let to = target
  let treatment: Treatment = 'pass'
  const sockets = new Set<Socket>()
  const endAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const server: Server = createServer((near) => {
    if (treatment === 'reject') return void near.resetAndDestroy()
    const far = open({ port: to, host: '127.0.0.1', noDelay: true })
    near.setNoDelay()
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => {
      const send = () => near.writable && near.write(bytes)
      if (typeof treatment === 'object') setTimeout(send, treatment.delay)
      else send()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    treat(next) {
      treatment = next
      if (next === 'reject') endAll()
    },
    lead(port) {
      to = port
      endAll()
    },
    async close() {
      endAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
