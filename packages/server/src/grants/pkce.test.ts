import { describe, expect, it } from 'vitest'
import { isVerifierOf } from './pkce.ts'

const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

describe('RFC 7636 §4.6 code verifiers', () => {
  it('[RFC7636-B-1] fit the challenge that was made of them', () => {
    expect(isVerifierOf(challenge, verifier)).toBe(true)
  })

  it.each([
    ['another one', `${verifier.slice(0, -1)}l`],
    ['the challenge itself: there is no plain', challenge],
    ['one with a letter more', `${verifier}k`],
    ['one with a line behind it', `${verifier}\n`],
  ])('[RFC7636-4.6-1, RFC7636-4.5-2] do not fit when they are %s', (_, text) => {
    expect(isVerifierOf(challenge, text)).toBe(false)
  })
})
