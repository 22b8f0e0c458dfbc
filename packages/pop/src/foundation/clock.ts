/** A moment in seconds since 1970, or a length in seconds. Milliseconds exist only at timers. */
export type Seconds = number

/** Tells the present moment. Handed in, so that tests hold it still. */
export type Clock = () => Seconds
