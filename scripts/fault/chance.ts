/** Numbers that look random and are the same for the same seed, so that a run can be repeated. */
export interface Chance {
  /** From 0 to 1, without 1. */
  fraction(): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
}

/** Creates a source of numbers (Mulberry32). */
export function createChance(seed: number): Chance {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return { fraction, between: (least, most) => least + Math.floor(fraction() * (most - least + 1)) }
}
