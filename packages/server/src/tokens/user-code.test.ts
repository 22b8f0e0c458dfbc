import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it } from 'vitest'
import { createUserCode, renderUserCode, userCodeHash } from './user-code.ts'

describe('RFC 8628 §6.1 user codes', () => {
  it('[RFC8628-6.1] are eight of twenty letters', () => {
    for (let times = 0; times < 200; times++)
      expect(createUserCode(nodePrimitives.random)).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  })

  it('favour no letter: bytes that do not divide evenly are drawn again', () => {
    const draws = [Uint8Array.from([240, 255, 239, 0, 1, 2, 3, 4]), new Uint8Array(8).fill(19)]
    expect(createUserCode(() => draws.shift() ?? new Uint8Array(8))).toBe('ZBCD-FGZZ')
  })

  it.each(['BCDF-GHJK', 'bcdf-ghjk', 'BCDFGHJK', ' BCDF GHJK ', 'BCDF–GHJK', 'b c d f g h j k'])(
    'are the same however they are typed: %s',
    (typed) => {
      expect(userCodeHash(typed)).toBe(userCodeHash('BCDF-GHJK'))
      expect(renderUserCode(typed)).toBe('BCDF-GHJK')
    },
  )

  it.each(['', 'BCDF-GHJ', 'BCDF-GHJKL', 'ACDF-GHJK', '1234-5678', 'B'.repeat(100_000)])(
    'are nothing else: %#',
    (typed) => {
      expect(userCodeHash(typed)).toBeUndefined()
    },
  )
})
