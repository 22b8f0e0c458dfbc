import { describe, expect, it } from 'vitest'
import { createAttempts } from './attempts.ts'

describe('failures of a client from an address', () => {
  const setting = () => {
    const world = { now: 1_800_000_000 }
    const attempts = createAttempts(() => world.now, { mostFailures: 2, reason: 'client_attempts_exhausted' })
    for (let i = 0; i < 2; i++) attempts.failed('client', '192.0.2.1')
    return { world, requireLeft: () => attempts.requireLeft('client', '192.0.2.1') }
  }

  it('refuse for a minute', () => {
    const { world, requireLeft } = setting()
    world.now += 59
    expect(requireLeft).toThrow(expect.objectContaining({ reason: 'client_attempts_exhausted', retryAfter: 1 }))
    world.now += 1
    expect(requireLeft).not.toThrow()
  })

  it('refuse for no longer when the clock was put back', () => {
    const { world, requireLeft } = setting()
    world.now -= 3600
    expect(requireLeft).not.toThrow()
  })
})
