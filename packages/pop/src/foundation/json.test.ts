import { describe, expect, it } from 'vitest'
import { parseJsonObject } from './json.ts'

describe('JSON that somebody else wrote', () => {
  const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`

  it('is taken to sixteen levels, and not to seventeen', () => {
    expect(parseJsonObject(nested(16))).toBeDefined()
    expect(parseJsonObject(nested(17))).toBeUndefined()
  })

  it.each([
    ['closing', ']'.repeat(50)],
    ['closing, behind an escaped quote', `\\"${']'.repeat(50)}`],
    ['closing, behind an escaped backslash', `${']'.repeat(50)}\\\\`],
  ])('is measured without brackets in strings: %s', (_, text) => {
    expect(parseJsonObject(`{"text":"${text}","deep":${nested(15)}}`)).toBeDefined()
    expect(parseJsonObject(`{"text":"${text}","deep":${nested(16)}}`)).toBeUndefined()
  })

  it('may hold any number of opening brackets in strings', () => {
    expect(parseJsonObject(`{"text":"${'['.repeat(50)}"}`)).toBeDefined()
  })

  it.each(['', 'null', '[]', '"text"', '1', '{', '{"a":1}{', "{'a':1}"])('is an object: %j is none', (text) => {
    expect(parseJsonObject(text)).toBeUndefined()
  })
})
