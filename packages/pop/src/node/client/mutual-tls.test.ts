import { afterEach, describe, expect, it } from 'vitest'
import { createStubIdentity, type StubServer, startStub } from '../../testing/stub-server.fixture.ts'
import { createClientCertificate } from '../certificates/make.ts'
import { MutualTls } from './mutual-tls.ts'

let server: StubServer
let connections: MutualTls

afterEach(async () => {
  await connections.close()
  await server.stop()
})

describe('a fetch of one identity', () => {
  it('shows its certificate', async () => {
    const { thumbprint } = await begin()
    expect((await connections.fetch(server.origin)).status).toBe(302)
    expect(server.seen).toMatchObject([{ thumbprint }])
  })

  it('follows no redirect, whatever it is told', async () => {
    await begin()
    const answers = [
      await connections.fetch(server.origin, { redirect: 'follow' }),
      await connections.fetch(new Request(server.origin, { redirect: 'follow' })),
    ]
    expect(answers.map(({ status }) => status)).toEqual([302, 302])
    expect(server.seen.map(({ path }) => path)).toEqual(['/', '/'])
  })

  it('uses few connections', async () => {
    await begin()
    await Promise.all(Array.from({ length: 100 }, () => connections.fetch(server.origin)))
    expect(new Set(server.seen.map(({ connection }) => connection)).size).toBeLessThanOrEqual(16)
  })

  it('ends with what is open when it is closed', async () => {
    await begin()
    const running = connections.fetch(server.origin)
    await connections.close()
    expect((await running).status).toBe(302)
    await expect(connections.fetch(server.origin)).rejects.toMatchObject({ reason: 'client_closed' })
  })
})

async function begin() {
  const identity = await createStubIdentity()
  server = await startStub(identity, (_, origin) => ({
    status: 302,
    headers: { location: `${origin}/next` },
    body: '',
  }))
  const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  connections = new MutualTls({ certificate, ca: identity.ca })
  return certificate
}
