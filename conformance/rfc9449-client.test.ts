import { createClient } from '@holdfast/pop/client/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, type Harness, startServer } from './harness.ts'

let server: Harness
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

describe('RFC 9449 §5 a client that binds its tokens by DPoP', () => {
  it('[RFC9449-4.1, RFC9449-5.g] makes a key on the fly, and gets a token that is bound to it', async () => {
    await using client = createClient({
      issuer: server.issuer,
      client_id: 'client',
      client_secret: 'secret',
      scope: 'api1',
      binding: 'dpop',
      ca: server.ca,
    })
    const token = await client.token()
    expect(token.token_type).toBe('DPoP')
    expect(claimsOf(token.access_token).cnf).toEqual(token.confirmation)
    expect(Object.keys(token.confirmation ?? {})).toEqual(['jkt'])
  })
})
