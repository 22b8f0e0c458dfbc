import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allow, introspected, isUnused, redeem, startPeopleServer } from './authorized.ts'
import { claimsOf, declined, type Harness } from './harness.ts'

let server: Harness
let certificate: CertificatePair
let renewed: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  server = await startPeopleServer()
  certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
  renewed = await createClientCertificate({ name: 'phone', keyType: 'P-256', key: certificate.key })
  other = await createClientCertificate({ name: 'thief', keyType: 'P-256' })
})
afterAll(() => server.close())

/** The confirmation that a token has. */
const bindingOf = (token: string) => claimsOf(token).cnf

describe('RFC 8705 §4 a public client with a certificate', () => {
  const client = 'native'

  it('[RFC8705-3.1] gets a token that is bound to it', async () => {
    const { form } = allow(server, { client })
    const answer = await redeem(server, form, { client, certificate })
    expect(answer.json.token_type).toBe('Bearer')
    expect(bindingOf(answer.json.access_token)).toEqual({ 'x5t#S256': certificate.thumbprint })
    expect((await introspected(server, answer.json.access_token)).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('[T76] gets an unbound one without', async () => {
    const answer = await redeem(server, allow(server, { client }).form, { client })
    expect(answer.status).toBe(200)
    expect(bindingOf(answer.json.access_token)).toBeUndefined()
  })

  it('redeems a code that was begun with it, also when it is renewed with its key', async () => {
    for (const shown of [certificate, renewed]) {
      const { form } = allow(server, { client, certificate })
      const answer = await redeem(server, form, { client, certificate: shown })
      expect(bindingOf(answer.json.access_token)).toEqual({ 'x5t#S256': shown.thumbprint })
    }
  })

  it('[incident 55] is refused with a code that was begun with another, or without one, and the code is kept', async () => {
    for (const sent of [{ client }, { client, certificate: other }]) {
      const code = allow(server, { client, certificate })
      expect(await declined(server, redeem(server, code.form, sent))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        reason: 'code_key_not_shown',
      })
      expect(isUnused(server, code)).toBe(true)
      expect((await redeem(server, code.form, { client, certificate })).status).toBe(200)
    }
  })

  it('does not end what a code gave when a thief without the key replays it', async () => {
    const { form } = allow(server, { client, certificate })
    const { access_token } = (await redeem(server, form, { client, certificate })).json
    server.advance(2)
    const replayed = redeem(server, form, { client, certificate: other })
    expect(await declined(server, replayed)).toMatchObject({ reason: 'code_key_not_shown' })
    expect(await introspected(server, access_token)).toMatchObject({ active: true })
  })
})

describe.each(['native-bound', 'web-bound'])('RFC 8705 §3.4 %s is registered for bound tokens only', (client) => {
  it('gets one', async () => {
    const answer = await redeem(server, allow(server, { client }).form, { client, certificate })
    expect(bindingOf(answer.json.access_token)).toEqual({ 'x5t#S256': certificate.thumbprint })
  })

  it('[T73] is refused without a certificate, and the code is kept', async () => {
    const code = allow(server, { client })
    expect(await declined(server, redeem(server, code.form, { client }))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: 'certificate_required',
    })
    expect(isUnused(server, code)).toBe(true)
  })
})

describe('a confidential client with a certificate', () => {
  it('[T76] gets a token that is bound to it', async () => {
    const answer = await redeem(server, allow(server).form, { certificate })
    expect(bindingOf(answer.json.access_token)).toEqual({ 'x5t#S256': certificate.thumbprint })
  })
})
