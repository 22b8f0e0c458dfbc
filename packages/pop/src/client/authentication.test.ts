import { createPublicKey } from 'node:crypto'
import { exportJWK, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { parsePublicJwk } from '../foundation/jwk.ts'
import { isSignedBy, parseJwt } from '../foundation/jws.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { generateTestKey } from '../testing/issuer.ts'
import {
  type AuthenticationTarget,
  clientSecret,
  clientSecretBasic,
  clientSecretPost,
  none,
  privateKeyJwt,
  selfSignedTlsClientAuth,
  tlsClientAuth,
} from './authentication.ts'

const issuer = 'https://as.example'

describe('RFC 6749 §2.3.1 a client secret', () => {
  it('[RFC6749-2.3.1] is form-encoded before it goes into the header', async () => {
    const { authorization } = await clientSecretBasic('p:ä +%&')(target({ client_id: 'a:b c' }))
    expect(atob(authorization?.slice('Basic '.length) ?? '')).toBe('a%3Ab+c:p%3A%C3%A4+%2B%25%26')
  })

  it('goes into the form when that is asked for', async () => {
    const { authorization, form } = await clientSecretPost('secret')(target())
    expect({ authorization, form }).toEqual({
      authorization: undefined,
      form: { client_id: 'client', client_secret: 'secret' },
    })
  })

  it.each([
    [undefined, 'header'],
    [['private_key_jwt', 'client_secret_post', 'client_secret_basic'], 'header'],
    [['private_key_jwt', 'client_secret_post'], 'form'],
  ])('goes the way that the metadata name: %j', async (token_endpoint_auth_methods_supported, place) => {
    const { authorization } = await clientSecret('secret')(target({ token_endpoint_auth_methods_supported }))
    expect(authorization === undefined ? 'form' : 'header').toBe(place)
  })

  it('goes nowhere when the server takes none', () => {
    const without = target({ token_endpoint_auth_methods_supported: ['private_key_jwt'] })
    expect(() => clientSecret('secret')(without)).toThrow(
      expect.objectContaining({ reason: 'authentication_unsupported' }),
    )
  })
})

describe('RFC 7523 §3 an assertion', () => {
  it('names client and issuer, is good for a minute and is signed with the key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const { form } = await privateKeyJwt({ key: privateKey, alg: 'ES256', kid: 'k1' })(target())
    const assertion = form?.client_assertion ?? ''
    const { payload, protectedHeader } = await jwtVerify(assertion, publicKey, { currentDate: new Date(1_000_000) })
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k1' })
    expect(payload).toEqual({
      iss: 'client',
      sub: 'client',
      aud: issuer,
      jti: 'BwcHBwcHBwcHBwcHBwcHBw',
      iat: 1000,
      exp: 1060,
    })
    expect(form?.client_assertion_type).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  })

  it('takes a JWK, and has another jti each time', async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const authentication = privateKeyJwt({ key: await exportJWK(privateKey), alg: 'EdDSA' })
    const random = (length: number) => crypto.getRandomValues(new Uint8Array(length))
    const jtis = new Set<unknown>()
    for (let i = 0; i < 3; i++) {
      const { form } = await authentication({ ...target(), context: { now: () => 1000, random } })
      jtis.add(parseJwt(form?.client_assertion ?? '')?.claims.jti)
    }
    expect(jtis.size).toBe(3)
  })

  it.each(['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519', 'ML-DSA-44', 'ML-DSA-87'] as const)(
    'is signed by a key of Node and by a JWK that names its use: %s',
    async (alg) => {
      const key = generateTestKey(alg)
      const jwk = { ...key.export({ format: 'jwk' }), alg, use: 'sig', key_ops: ['sign', 'verify'] }
      for (const each of [key, jwk]) {
        const { form } = await privateKeyJwt({ key: each, alg })(target())
        const jwt = parseJwt(form?.client_assertion ?? '')
        const known = parsePublicJwk(createPublicKey(key).export({ format: 'jwk' }))
        expect(jwt && known && (await isSignedBy(jwt, known, nodePrimitives))).toBe(true)
      }
    },
  )

  it('says when the platform does not know the algorithm', async () => {
    const subtle = vi.spyOn(crypto.subtle, 'sign').mockRejectedValueOnce(new DOMException('no', 'NotSupportedError'))
    const asked = privateKeyJwt({ key: generateTestKey('ML-DSA-44'), alg: 'ML-DSA-44' })(target())
    await expect(asked).rejects.toMatchObject({ reason: 'algorithm_unsupported' })
    subtle.mockRestore()
  })
})

describe('RFC 8705 §2 a certificate as authentication', () => {
  it.each([
    ['tls_client_auth', tlsClientAuth()],
    ['self_signed_tls_client_auth', selfSignedTlsClientAuth()],
    ['none', none()],
  ])('[RFC8705-2] sends the client_id and nothing else: %s', async (_, authentication) => {
    expect(await authentication(target())).toEqual({ form: { client_id: 'client' } })
  })
})

function target({ client_id = 'client', ...metadata }: Record<string, unknown> = {}): AuthenticationTarget {
  const context = { now: () => 1000, random: (length: number) => new Uint8Array(length).fill(7) }
  return { client_id: String(client_id), metadata: { issuer, ...metadata }, context }
}
