/** A map that forgets: what was not asked for lately goes first, and there is never more than its size in it. */
export interface BoundedCache<Value> {
  find(key: string): Value | undefined
  put(key: string, value: Value): void
}

/** Creates a cache of two generations: a full young one becomes the old one, whose last survivors move over when asked for. */
export function createBoundedCache<Value>(size: number): BoundedCache<Value> {
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  const put = (key: string, value: Value): void => {
    if (young.size >= size / 2) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }
  return {
    find(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const survivor = old.get(key)
      if (survivor !== undefined) put(key, survivor)
      return survivor
    },
    put,
  }
}
