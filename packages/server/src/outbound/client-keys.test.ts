import { describe, expect, it } from 'vitest'
import { createClientKeys } from './client-keys.ts'

const uri = 'https://keys.test/jwks'

describe('the keys behind a jwks_uri', () => {
  const setting = () => {
    const world = { now: 1_800_000_000, asked: 0 }
    const fetch = async () => ({ keys: [++world.asked] })
    return { world, keys: createClientKeys(['keys.test'], fetch, () => world.now) }
  }

  it('serve for five minutes', async () => {
    const { world, keys } = setting()
    await keys(uri)
    world.now += 299
    expect(await keys(uri)).toEqual({ keys: [1] })
    world.now += 1
    expect(await keys(uri)).toEqual({ keys: [2] })
  })

  it('are kept of a thousand addresses, and those of the oldest are fetched again', async () => {
    const { world, keys } = setting()
    for (let each = 0; each < 1000; each++) await keys(`${uri}/${each}`)
    expect(await keys(`${uri}/0`)).toEqual({ keys: [1] })
    await keys(`${uri}/1000`)
    expect(await keys(`${uri}/999`)).toEqual({ keys: [1000] })
    expect(await keys(`${uri}/0`)).toEqual({ keys: [1002] })
    expect(world.asked).toBe(1002)
  })

  it('are fetched again when the clock was put back', async () => {
    const { world, keys } = setting()
    await keys(uri)
    world.now -= 3600
    expect(await keys(uri)).toEqual({ keys: [2] })
  })
})
