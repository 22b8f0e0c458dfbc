/** A moment in seconds since 1970, or a length in seconds. Milliseconds exist only at timers. */
export type Seconds = number

/** Says whether a value of a JWT is a moment: a number that is not negative and counts seconds exactly. RFC 7519 §2. */
export function isMoment(value: unknown): value is Seconds {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}

/** Tells the present moment. Handed in, so that tests hold it still. */
export type Clock = () => Seconds
