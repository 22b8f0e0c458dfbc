import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64url, encodeBase64url } from './base64url.ts'

describe('RFC 4648 §5 base64url without padding', () => {
  it('writes what Node writes, and reads it again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase64url(bytes)
        expect(text).toBe(Buffer.from(bytes).toString('base64url'))
        expect(decodeBase64url(text)).toEqual(Uint8Array.from(bytes))
      }),
    )
  })

  it('no two texts are the same bytes', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'ABQZaz019-_=+/ \n'), maxLength: 12 })
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = decodeBase64url(text)
        if (bytes) expect(encodeBase64url(bytes)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['A', 'AB', 'ABC', 'AA==', 'AA=', 'A+AA', 'A/AA', 'AA AA', 'AAAA\n', 'AAA\u0141', 'AAA\uff21'])(
    'refuses %j',
    (text) => {
      expect(decodeBase64url(text)).toBeUndefined()
    },
  )
})
