import { describe, expect, it } from 'vitest'
import { decodeForm } from './parameters.ts'
import { Refused } from './refusal.ts'

describe('RFC 6749 appendix B a form', () => {
  it('is taken apart up to a thousand pairs, and not beyond', () => {
    expect(decodeForm(pairs(1000))).toHaveLength(1000)
    expect(reasonOf(pairs(1001))).toBe('parameters_too_many')
  })

  it('[F25] is not taken apart where it has nothing but separators', () => {
    expect(reasonOf('&'.repeat(999))).toBeUndefined()
    expect(reasonOf('&'.repeat(1000))).toBe('parameters_too_many')
  })

  it('that is no UTF-8 is declined as such, however long', () => {
    expect(reasonOf('a=%FF')).toBe('form_malformed')
    expect(reasonOf(`${pairs(1001)}&a=%FF`)).toBe('form_malformed')
  })
})

function pairs(count: number): string {
  return Array.from({ length: count }, (_, index) => `p${index}=1`).join('&')
}

function reasonOf(form: string): string | undefined {
  try {
    decodeForm(form)
    return undefined
  } catch (error) {
    return error instanceof Refused ? error.reason : String(error)
  }
}
