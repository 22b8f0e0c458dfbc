import { expect, it } from 'vitest'
import { createHandle } from './handle.ts'

it('a handle never begins with a hyphen, which a command line would take for an option', () => {
  const draws = [Buffer.alloc(32, 0xf8), Buffer.alloc(32, 1)]
  expect(Buffer.alloc(32, 0xf8).toString('base64url')).toMatch(/^-/)
  expect(createHandle(() => draws.shift() ?? Buffer.alloc(32, 2))).toBe(Buffer.alloc(32, 1).toString('base64url'))
})
