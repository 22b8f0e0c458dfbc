import { describe, expect, it } from 'vitest'
import { createBoundedCache } from './bounded-cache.ts'

describe('a cache that forgets', () => {
  it('finds what was put', () => {
    const cache = createBoundedCache<number>(4)
    cache.put('a', 1)
    expect(cache.find('a')).toBe(1)
    expect(cache.find('b')).toBeUndefined()
  })

  it('incident 56: never holds more than its size', () => {
    const cache = createBoundedCache<number>(100)
    for (let i = 0; i < 10_000; i++) cache.put(String(i), i)
    const left = Array.from({ length: 10_000 }, (_, i) => cache.find(String(i))).filter((value) => value !== undefined)
    expect(left.length).toBeGreaterThan(0)
    expect(left.length).toBeLessThanOrEqual(100)
  })

  it('keeps what is asked for, however much passes by', () => {
    const cache = createBoundedCache<string>(10)
    cache.put('popular', 'here')
    for (let i = 0; i < 1000; i++) {
      cache.put(String(i), 'passing')
      expect(cache.find('popular')).toBe('here')
    }
  })
})
