import type { Primitives } from '@holdfast/pop'
import { handleHash } from './handle.ts'

/** No vowels, so no words, and nothing that looks like something else. RFC 8628 §6.1. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'
const length = 8

/** Makes a code that people type: eight of twenty letters, 34 bits, and a dash in the middle. RFC 8628 §6.1. */
export function createUserCode(random: Primitives['random']): string {
  let code = ''
  while (code.length < length) {
    for (const byte of random(length)) {
      const letter = byte < 240 ? letters[byte % letters.length] : undefined
      if (letter !== undefined && code.length < length) code += letter
    }
  }
  return withDash(code)
}

/**
 * The hash of a code as somebody has typed it: case, spaces and dashes do not matter.
 * @returns undefined for what can be no code
 */
export function userCodeHash(typed: string): string | undefined {
  const code = normal(typed)
  return code.length === length && [...code].every((letter) => letters.includes(letter)) ? handleHash(code) : undefined
}

/** A code as devices show it, however it was typed. */
export function renderUserCode(typed: string): string {
  return withDash(normal(typed))
}

function normal(typed: string): string {
  return typed
    .slice(0, 64)
    .toUpperCase()
    .replace(/[\s\p{Pd}_.]/gu, '')
}

function withDash(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}
