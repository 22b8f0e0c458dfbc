import { Refused } from '@holdfast/pop'
import { describe, expect, it } from 'vitest'
import { createTurns, matchesStretched } from './stretched.ts'

describe('RFC 9106 chosen secrets', () => {
  const stretched = '$argon2id$v=19$m=32,t=3,p=4$AgICAgICAgICAgICAgICAg$N1hneHL/bPixFmcc5dei8+taK5HHaoeyU47WfxOztNo'

  it.each([
    ['the secret', 'correct horse', true],
    ['another', 'correct hors', false],
    ['nothing', '', false],
  ])('tell %s', async (_, presented, matches) => {
    expect(await matchesStretched(stretched, presented)).toBe(matches)
  })
})

describe('turns', () => {
  it('are two at once, the others in the order in which they came', async () => {
    const turns = createTurns()
    const began: number[] = []
    const ends: (() => void)[] = []
    const works = [0, 1, 2, 3].map((each) =>
      turns(async () => {
        began.push(each)
        await new Promise<void>((end) => ends.push(end))
        return each
      }),
    )
    await tick()
    expect(began).toEqual([0, 1])
    ends[1]?.()
    await tick()
    expect(began).toEqual([0, 1, 2])
    ends[0]?.()
    await tick()
    for (const end of ends) end()
    expect(await Promise.all(works)).toEqual([0, 1, 2, 3])
  })

  it('[A31] go round: who floods from one place keeps nobody else waiting', async () => {
    const turns = createTurns()
    const done: string[] = []
    const wait = (from: string) =>
      turns(async () => {
        await tick()
        done.push(from)
      }, from)
    const all = [...Array.from({ length: 20 }, () => wait('flood')), wait('one'), wait('other'), wait('one')]
    await Promise.all(all)
    expect(done.indexOf('one')).toBeLessThan(5)
    expect(done.indexOf('other')).toBeLessThan(5)
    expect(done.lastIndexOf('one')).toBeLessThan(7)
    expect(done).toHaveLength(23)
  })

  it('come after work that failed', async () => {
    const turns = createTurns()
    const failing = () => turns(() => Promise.reject(new Error('broken')))
    await Promise.allSettled([failing(), failing(), failing()])
    expect(await turns(async () => 'done')).toBe('done')
  })

  it('are refused to who waits for more than a second', async () => {
    const turns = createTurns()
    const { promise, resolve } = Promise.withResolvers<void>()
    const busy = [turns(() => promise), turns(() => promise)]
    const refused = await turns(async () => undefined).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Refused)
    expect(refused).toMatchObject({ reason: 'client_busy', retryAfter: 1 })
    resolve()
    await Promise.all(busy)
    expect(await turns(async () => 'done')).toBe('done')
  })
})

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
