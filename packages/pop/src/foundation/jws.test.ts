import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../node/primitives.ts'
import { signJwt } from '../testing/issuer.ts'
import { createTestProofKey } from '../testing/proofs.ts'
import { signatureAlgorithms } from './jwk.ts'
import { algorithmOf, isSignedBy, parseJwt } from './jws.ts'

const key = createTestProofKey()
const jwt = signJwt({ alg: 'ES256' }, { a: 1 }, key.key)
const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')

describe('RFC 7515 taking a JWT apart', () => {
  it('gives header and claims', () => {
    expect(parseJwt(jwt)).toMatchObject({ header: { alg: 'ES256' }, claims: { a: 1 } })
  })

  it('gives no member that stands in Object.prototype', () => {
    expect(parseJwt(jwt)?.header.toString).toBeUndefined()
    expect(parseJwt(jwt)?.claims.constructor).toBeUndefined()
  })

  it('[RFC7515-4] [RFC7519-4] of a member that stands there twice, gives the last', () => {
    const twice = `${base64url('{"alg":"none","alg":"ES256"}')}.${base64url('{"a":1,"a":2}')}.AAAA`
    expect(parseJwt(twice)).toMatchObject({ header: { alg: 'ES256' }, claims: { a: 2 } })
  })

  it('looks at 16384 characters and not at more', () => {
    const [header = '', claims = ''] = jwt.split('.')
    const rest = 16_384 - header.length - claims.length - 2
    expect(parseJwt(`${header}.${claims}.${'A'.repeat(rest - (rest % 4))}`)).toBeDefined()
    expect(parseJwt(`${header}.${claims}.${'A'.repeat(rest + 4 - (rest % 4))}`)).toBeUndefined()
  })

  it.each([
    ['a byte order mark', base64url('\ufeff{}')],
    ['bytes that are no UTF-8', base64url(Uint8Array.from([0x7b, 0xff, 0x7d]))],
    ['a list', base64url('[]')],
    ['null', base64url('null')],
    ['padding', `${base64url('{}')}=`],
    ['stray bits', base64url('{}').replace(/.$/, '1')],
    ['nothing', ''],
  ])('%s is no header, and no claims', (_, part) => {
    expect(parseJwt(`${part}.e30.AAAA`)).toBeUndefined()
    expect(parseJwt(`e30.${part}.AAAA`)).toBeUndefined()
    expect(parseJwt('e30.e30.AAAA')).toBeDefined()
  })
})

describe('RFC 7515 §5.2 who signed', () => {
  it.each(signatureAlgorithms)('%s: the key did, and no other', async (alg) => {
    const kind = alg === 'RS256' ? 'PS256' : alg
    const [its, other] = [createTestProofKey(kind), createTestProofKey(kind)]
    const parsed = parseJwt(signJwt({ alg }, {}, its.key))
    if (!parsed) throw new Error('no JWT')
    expect(await isSignedBy(parsed, its.jwk, nodePrimitives)).toBe(true)
    expect(await isSignedBy(parsed, other.jwk, nodePrimitives)).toBe(false)
  })

  it.each([{ crit: [] }, { b64: true }, { zip: 'DEF' }, { alg: 'none' }, { alg: ['ES256'] }, { alg: 'toString' }])(
    '[RFC7515-4.1.11] %j names no algorithm',
    (header) => {
      const parsed = parseJwt(signJwt({ alg: 'ES256', ...header }, {}, key.key, 'AAAA'))
      expect(parsed && algorithmOf(parsed)).toBeUndefined()
    },
  )
})
