import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, type Harness, startServer } from './harness.ts'

describe('RFC 8705 §3 certificate-bound access tokens', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.close())

  it('binds the token to the certificate of the connection', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const answer = await server.token({}, { certificate })
    expect(answer.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'api1' })
    expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('issues an unbound token where no certificate arrives and none is required', async () => {
    const answer = await server.token()
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token)).not.toHaveProperty('cnf')
  })
})
