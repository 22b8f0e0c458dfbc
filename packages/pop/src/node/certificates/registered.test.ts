import { describe, expect, it } from 'vitest'
import { createClientCertificate } from './make.ts'
import { derOf, x509Of } from './read.ts'
import { registeredCertificate, sameCertificate } from './registered.ts'

describe('RFC 8705 §2.2 certificates that a client registers', async () => {
  const made = await Promise.all(
    (['RSA', 'P-256', 'Ed25519', 'ML-DSA-44'] as const).map(async (keyType) => {
      const { certificate } = await createClientCertificate({ name: 'client', keyType })
      const der = derOf(certificate)
      const key: { [member: string]: unknown } = { ...x509Of(der).publicKey.export({ format: 'jwk' }) }
      return { keyType, der, jwk: { ...key, x5c: [der.toString('base64')] } }
    }),
  )
  const [rsa, ec] = made
  if (!rsa || !ec) throw new Error('no certificates')

  it.each(made)('[RFC8705-2.2.2-2] takes the certificate of a $keyType key whose members agree', ({ der, jwk }) => {
    const registered = registeredCertificate(jwk)
    expect(registered && sameCertificate(registered, der)).toBe(true)
  })

  it('takes a JWK that says nothing of the key but its kind', () => {
    expect(registeredCertificate({ kty: 'EC', x5c: ec.jwk.x5c })).toEqual(ec.der)
  })

  it('[RFC8705-2.2.2-1] looks at the first certificate only', () => {
    expect(registeredCertificate({ ...ec.jwk, x5c: [...ec.jwk.x5c, ...rsa.jwk.x5c] })).toEqual(ec.der)
    expect(registeredCertificate({ ...ec.jwk, x5c: [...rsa.jwk.x5c, ...ec.jwk.x5c] })).toBeUndefined()
  })

  it.each([
    ['another x', { x: 'AAAA' }],
    ['another curve', { crv: 'P-384' }],
    ['another kind', { kty: 'RSA' }],
    ['a modulus beside a point', { n: 'AAAA' }],
    ['another thumbprint', { 'x5t#S256': 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0' }],
    ['a private key beside it', { d: 'AAAA' }],
    ['no kind', { kty: undefined }],
    ['no certificate', { x5c: [] }],
    ['a certificate that is no text', { x5c: [1] }],
    ['x5c that is no list', { x5c: ec.der.toString('base64') }],
    ['base64url', { x5c: [ec.der.toString('base64url')] }],
    ['white space in the base64', { x5c: [` ${ec.der.toString('base64')}`] }],
    ['bytes behind the certificate', { x5c: [Buffer.concat([ec.der, Buffer.from([0])]).toString('base64')] }],
  ])('[RFC8705-2.2.2-2] gives nothing for %s', (_, wrong) => {
    expect(registeredCertificate({ ...ec.jwk, ...wrong })).toBeUndefined()
  })

  it('gives nothing for what is no object', () => {
    for (const jwk of [null, undefined, 1, 'x', []]) expect(registeredCertificate(jwk)).toBeUndefined()
  })
})
