import { createPublicKey, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { generateTestKey, signJwt } from '../../testing/issuer.ts'
import { ClientError } from '../client-error.ts'
import { webContext } from '../context.ts'
import { createIdTokens } from './id-token.ts'

const now = 1_800_000_000
const expected = { issuer: 'https://as.example', client_id: 'page', nonce: 'n', jwks_uri: 'https://as.example/jwks' }
const good = { iss: expected.issuer, sub: 'alice', aud: 'page', iat: now, exp: now + 60, nonce: 'n' }
const key = generateTestKey('ES256')

describe('OpenID Connect Core §3.1.3.7 whose signature it is', () => {
  it.each(['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519', 'ML-DSA-65'] as const)(
    'takes one by %s',
    async (alg) => {
      const own = generateTestKey(alg)
      const { verify } = world([jwkOf(own, { alg, kid: 'a' })])
      expect(await verify(signJwt({ alg, kid: 'a' }, good, own))).toEqual(good)
    },
  )

  it.each<[string, object]>([
    ['another name', { kid: 'b' }],
    ['another algorithm', { kid: 'a', alg: 'ES384' }],
    ['another use', { kid: 'a', use: 'enc' }],
  ])('does not take a key of %s', async (_, members) => {
    const { verify } = world([jwkOf(key, members)])
    await expectInvalid(verify(signJwt({ alg: 'ES256', kid: 'a' }, good, key)))
  })

  it.each<[string, object]>([
    ['a MAC', { alg: 'HS256' }],
    ['another than the key is for', { alg: 'PS256' }],
    ['something critical', { alg: 'ES256', crit: ['b64'], b64: false }],
  ])('does not take %s', async (_, header) => {
    await expectInvalid(world([jwkOf(key)]).verify(signJwt({ ...header }, good, key)))
  })

  it('does not take one that is not signed', async () => {
    await expectInvalid(world([jwkOf(key)]).verify(signJwt({ alg: 'none' }, good, key, '')))
  })

  it('finds the key among those without a name', async () => {
    const { verify } = world([jwkOf(generateTestKey('ES256')), jwkOf(generateTestKey('RS256')), jwkOf(key)])
    expect(await verify(signJwt({ alg: 'ES256' }, good, key))).toEqual(good)
  })

  it('asks for the keys again when one is missing, and otherwise not', async () => {
    const keys = [jwkOf(key, { kid: 'a' })]
    const { verify, fetched } = world(keys)
    await verify(signJwt({ alg: 'ES256', kid: 'a' }, good, key))
    await verify(signJwt({ alg: 'ES256', kid: 'a' }, good, key))
    expect(fetched()).toBe(1)
    const next = generateTestKey('ES256')
    keys.push(jwkOf(next, { kid: 'b' }))
    await verify(signJwt({ alg: 'ES256', kid: 'b' }, good, next))
    expect(fetched()).toBe(2)
  })

  it('does not take a signature of which a bit differs', async () => {
    const [header, claims] = signJwt({ alg: 'ES256' }, good, key).split('.')
    await expectInvalid(world([jwkOf(key)]).verify(`${header}.${claims}.${'A'.repeat(86)}`))
  })
})

describe('OpenID Connect Core §3.1.3.7 what it says', () => {
  it.each([
    ['exp', { exp: now - 59 }],
    ['nbf', { nbf: now + 60 }],
    ['aud', { aud: ['page', 'other'], azp: 'page' }],
    ['azp', { azp: 'page' }],
  ])('takes %s at its edge', async (_, claims) => {
    const { verify } = world([jwkOf(key)])
    expect(await verify(signJwt({ alg: 'ES256' }, { ...good, ...claims }, key))).toMatchObject(claims)
  })

  it.each([
    ['exp', { exp: now - 60 }],
    ['exp', { exp: String(now + 60) }],
    ['exp', { exp: undefined }],
    ['nbf', { nbf: now + 61 }],
    ['nbf', { nbf: 'now' }],
    ['iat', { iat: undefined }],
    ['iss', { iss: 'https://as.example/' }],
    ['sub', { sub: '' }],
    ['sub', { sub: 1 }],
    ['aud', { aud: 'other' }],
    ['aud', { aud: undefined }],
    ['aud', { aud: ['page', 'other'] }],
    ['azp', { azp: 'other' }],
    ['nonce', { nonce: 'm' }],
    ['nonce', { nonce: undefined }],
  ])('does not take %s beyond it: %j', async (_, claims) => {
    await expectInvalid(world([jwkOf(key)]).verify(signJwt({ alg: 'ES256' }, { ...good, ...claims }, key)))
  })

  it.each([undefined, 1, '', 'a.b.c', 'x'.repeat(20_000)])('is not %s', async (text) => {
    await expectInvalid(world([jwkOf(key)]).verify(text))
  })
})

function jwkOf(of: KeyObject, members: object = {}): object {
  return { ...createPublicKey(of).export({ format: 'jwk' }), ...members }
}

/** The check, and a server that has these keys at the time. */
function world(keys: readonly object[]) {
  let count = 0
  const fetch = async () => {
    count++
    return Response.json({ keys })
  }
  const verify = createIdTokens({ ...webContext(), now: () => now, fetch }, 5)
  return { verify: (text: unknown) => verify(text, expected), fetched: () => count }
}

async function expectInvalid(call: Promise<unknown>): Promise<void> {
  const error = await call.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ reason: 'id_token_invalid' })
}
