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

  it('are fetched again when the clock was put back', async () => {
    const { world, keys } = setting()
    await keys(uri)
    world.now -= 3600
    expect(await keys(uri)).toEqual({ keys: [2] })
  })
})
