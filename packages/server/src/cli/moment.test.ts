import { expect, it } from 'vitest'
import { renderDistance, renderMoment } from './moment.ts'

it.each([
  [0, 'now'],
  [119, 'in 119 s'],
  [120, 'in 2 min'],
  [7199, 'in 119 min'],
  [7200, 'in 2 h'],
  [2 * 86_400 - 1, 'in 47 h'],
  [2 * 86_400, 'in 2 days'],
  [-120, '2 min ago'],
])('says %i seconds from now as "%s"', (seconds, text) => {
  expect(renderDistance(seconds)).toBe(text)
})

it('says a moment in UTC, and as seen from now', () => {
  expect(renderMoment(1_800_000_000, 1_800_000_060)).toBe('2027-01-15 08:00:00Z, 60 s ago')
})

it('does not stumble over a moment that is none', () => {
  expect(renderMoment(1e20, 0)).toContain('no moment')
})
