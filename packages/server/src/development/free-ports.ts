import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Ports } from './seed.ts'

/** Four ports that nobody listens on at present, on either address of localhost. */
export async function freePorts(): Promise<Ports> {
  const doors = Array.from({ length: 4 }, () => createServer())
  const ports = await Promise.all(
    doors.map(async (door) => {
      door.listen(0)
      await once(door, 'listening')
      const address = door.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    }),
  )
  await Promise.all(doors.map((door) => new Promise((closed) => door.close(closed))))
  const [issuer = 0, mutualTls = 0, api = 0, web = 0] = ports
  return { issuer, mutualTls, api, web }
}
