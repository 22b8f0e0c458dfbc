import { Refused } from '@holdfast/pop'
import { describe, expect, it } from 'vitest'
import { authenticationLimit, createAttempts } from './attempts.ts'

const { mostFailures, window, reason } = authenticationLimit

describe('failed attempts', () => {
  it('are answered up to the limit', () => {
    const { attempts } = failing(mostFailures - 1)
    expect(reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('are refused past the limit, with the seconds to wait', () => {
    const { attempts } = failing(mostFailures)
    expect(() => attempts.requireLeft('client', 'here')).toThrow(
      expect.objectContaining({ reason, retryAfter: window }),
    )
  })

  it('count for one name at one address', () => {
    const { attempts } = failing(mostFailures)
    expect(reasonOf(() => attempts.requireLeft('client', 'elsewhere'))).toBeUndefined()
    expect(reasonOf(() => attempts.requireLeft('other', 'here'))).toBeUndefined()
  })

  it.each([
    ['the last second of the window', window - 1, reason],
    ['the next second', window, undefined],
  ])('are remembered until %s', (_, later, expected) => {
    const { attempts, clock } = failing(mostFailures)
    clock.now += later
    expect(reasonOf(() => attempts.requireLeft('client', 'here'))).toBe(expected)
  })

  it('are forgotten when the clock was put back', () => {
    const { attempts, clock } = failing(mostFailures)
    clock.now -= 3600
    expect(reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('of 10,000 pairs are remembered, and the oldest is forgotten', () => {
    const { attempts } = failing(mostFailures)
    for (let other = 1; other < 10_000; other++) attempts.failed(`client${other}`, 'here')
    expect(reasonOf(() => attempts.requireLeft('client', 'here'))).toBe(reason)
    attempts.failed('client10000', 'here')
    expect(reasonOf(() => attempts.requireLeft('client', 'here'))).toBeUndefined()
  })

  it('from one network of IPv6 are one address', () => {
    const { attempts } = failing(mostFailures, '2001:db8:1:2::1')
    expect(reasonOf(() => attempts.requireLeft('client', '2001:db8:1:2:ffff::9'))).toBe(reason)
    expect(reasonOf(() => attempts.requireLeft('client', '2001:0db8:0001:0002::9'))).toBe(reason)
    expect(reasonOf(() => attempts.requireLeft('client', '2001:db8:1:3::1'))).toBeUndefined()
  })

  it('from IPv4 are one address however it arrives', () => {
    const { attempts } = failing(mostFailures, '192.0.2.1')
    expect(reasonOf(() => attempts.requireLeft('client', '::ffff:192.0.2.1'))).toBe(reason)
    expect(reasonOf(() => attempts.requireLeft('client', '::ffff:192.0.2.2'))).toBeUndefined()
  })
})

describe('what may be had only so often', () => {
  it('is had up to the limit, and not once more until the window ends', () => {
    const { attempts, clock } = failing(0)
    for (let taken = 0; taken < mostFailures; taken++) attempts.take('client', 'here')
    expect(reasonOf(() => attempts.take('client', 'here'))).toBe(reason)
    clock.now += window
    expect(reasonOf(() => attempts.take('client', 'here'))).toBeUndefined()
  })
})

function failing(times: number, address = 'here') {
  const clock = { now: 1_800_000_000 }
  const attempts = createAttempts(() => clock.now, authenticationLimit)
  for (let failure = 0; failure < times; failure++) attempts.failed('client', address)
  return { attempts, clock }
}

function reasonOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof Refused ? error.reason : String(error)
  }
}
