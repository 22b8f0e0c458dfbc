import crypto from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { claimsOf, startServer } from './harness.ts'
import { createLoad } from './load.ts'
import { createIssuer, nodePorts, serve } from './served.ts'

const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', scope: 'api1' }

it.skipIf(process.platform !== 'linux')(
  '[F33] a process that may open nothing more lives, and goes on when it may',
  {
    timeout: 60_000,
  },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-system-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const ports = await nodePorts()
    const issuer = await createIssuer(directory, ports.public)
    const file = issuer.write('holdfast.yaml', ports, { store: { file: 'holdfast.db' } })
    const server = await serve(directory, file, ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh'])
    onTestFinished(() => server.kill())
    const ask = async () => {
      const load = createLoad(() => ports.public, issuer.ca, 1)
      const outcome = await load.post({ ...form, client_id: 'reference' })
      load.close()
      return outcome.status ?? 0
    }
    expect(await ask()).toBe(200)
    const crowd = Array.from({ length: 100 }, () => connect(ports.public, '127.0.0.1'))
    for (const each of crowd) each.on('error', () => {})
    await Promise.race([Promise.all(crowd.map(settled)), new Promise((resolve) => setTimeout(resolve, 2000))])
    expect(readdirSync(`/proc/${server.process.pid}/fd`).length).toBeGreaterThan(60)
    const full = await Promise.all([ask(), ask(), ask()])
    expect(full.filter((status) => ![0, 200, 503].includes(status))).toEqual([])
    for (const each of crowd) each.destroy()
    await expect.poll(ask, { timeout: 10_000, interval: 200 }).toBe(200)
    expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null])
  },
)

it('[F33] without random bytes nothing is issued, and with them all is again', async () => {
  const server = await startServer()
  onTestFinished(() => server.close())
  const { randomFillSync } = crypto
  const restore = () => {
    Object.assign(crypto, { randomFillSync })
    syncBuiltinESMExports()
  }
  onTestFinished(restore)
  let failed = 0
  Object.assign(crypto, {
    randomFillSync() {
      failed++
      throw new Error('no entropy')
    },
  })
  syncBuiltinESMExports()
  const answers = []
  // What was drawn before is used up first.
  for (let count = 0; count < 400 && failed < 5; count++) answers.push(await server.token({ client_id: 'reference' }))
  expect(failed).toBe(5)
  const issued = answers.filter(({ status }) => status === 200).map(({ json }) => json.access_token)
  expect(new Set(issued).size).toBe(issued.length)
  const declined = answers.filter(({ status }) => status !== 200)
  expect(declined.map(({ status, json }) => [status, json.error])).toEqual(declined.map(() => [500, 'server_error']))
  expect((await server.token()).status).toBe(500)
  restore()
  const after = await server.token()
  expect(after.status).toBe(200)
  expect(claimsOf(after.json.access_token).jti).toMatch(/^[\w-]{22,}/)
})

async function settled(socket: Socket): Promise<void> {
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
}
