import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, startServer } from './harness.ts'

let server: Harness
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server?.close())

const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const published = async (): Promise<string[]> =>
  (await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })).json.keys.map(
    ({ kid }: { kid: string }) => kid,
  )
const introspect = async (token: string) =>
  (await server.post('/introspect', { token, client_id: 'api1', client_secret: 'api1-secret' })).json

it('[F17] a signing key that is revoked is gone at once, with what it signed; the next one signs', async () => {
  const { access_token: token } = (await server.token()).json
  const kid = kidOf(token)
  expect(await published()).toContain(kid)
  expect((await introspect(token)).active).toBe(true)
  const upcoming = (await published()).filter((each) => each !== kid)
  await server.server.administration.administer('key-revoke', { kid })
  expect(await published()).not.toContain(kid)
  expect(await introspect(token)).toEqual({ active: false })
  const { access_token: fresh } = (await server.token()).json
  expect(upcoming).toContain(kidOf(fresh))
  expect((await introspect(fresh)).active).toBe(true)
})

it('one that is unknown is named', async () => {
  const revoked = server.server.administration.administer('key-revoke', { kid: 'none' })
  await expect(revoked).rejects.toMatchObject({ problem: 'unknown', message: expect.stringContaining('key list') })
})
