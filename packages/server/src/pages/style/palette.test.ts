import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contrastOf, contrasts, paletteOf, petrol } from './palette.ts'

const themes = ['light', 'dark'] as const

describe('WCAG 2.2 contrast', () => {
  it('is 21 between black and white, and 4.48 between white and #777777', () => {
    expect(contrastOf('#000000', '#ffffff')).toBeCloseTo(21, 5)
    expect(contrastOf('#777777', '#ffffff')).toBeCloseTo(4.478, 3)
  })
})

describe.each(themes)('[WCAG-1.4.3] [WCAG-1.4.11] the %s theme', (theme) => {
  it.each(contrasts)('keeps %s on %s above %d', (front, back, least) => {
    const palette = paletteOf(petrol)[theme]
    expect(contrastOf(palette[front], palette[back])).toBeGreaterThanOrEqual(least)
  })

  it('keeps them for every accent', () => {
    const channel = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.tuple(channel, channel, channel), (channels) => {
        const palette = paletteOf(`#${channels.map((each) => each.toString(16).padStart(2, '0')).join('')}`)[theme]
        for (const [front, back, least] of contrasts)
          expect(contrastOf(palette[front], palette[back])).toBeGreaterThanOrEqual(least)
      }),
      { examples: [[[255, 212, 0]], [[0, 0, 0]], [[255, 255, 255]]] },
    )
  })
})

it('leaves an accent alone that can be read', () => {
  expect(paletteOf(petrol).light.accent).toBe(petrol)
})
