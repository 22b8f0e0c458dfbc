import { afterAll, beforeAll, expect, it } from 'vitest'
import { requirePrograms } from '../requires.ts'
import { type Chromium, startChromium } from './chromium.ts'
import { lookAt, themes } from './look-at.ts'
import { looks } from './looks.ts'
import { startWorld, type World } from './world.ts'

requirePrograms('chromium')('the pages, looked at', () => {
  let world: World
  let chromium: Chromium

  beforeAll(async () => {
    world = await startWorld()
    chromium = await startChromium()
  })
  afterAll(async () => {
    await chromium?.close()
    await world?.close()
  })

  it.each(looks)(
    '$name: axe finds nothing, in both themes, at 360 and 1440 pixels',
    { timeout: 60_000 },
    async ({ name, reach }) => {
      const { page, context } = await chromium.open()
      await reach(page, world)
      await lookAt(page, name)
      await context.close()
    },
  )

  it('shows each theme in its own colours', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web'))
    const colours = []
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme })
      colours.push(await page.evaluate('getComputedStyle(document.body).color'))
    }
    expect(new Set(colours).size).toBe(2)
    await context.close()
  })

  it('has refused nothing of our own pages by their policy', () => {
    expect(chromium.complaints).toEqual([])
  })
})
