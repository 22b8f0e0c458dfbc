import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { requirePrograms } from '../requires.ts'
import { type Chromium, startChromium } from './chromium.ts'
import { looks } from './looks.ts'
import { startWorld, type World } from './world.ts'

/** A folder for pictures; `docs/screenshots` holds the current ones. */
const pictures = process.env.HOLDFAST_SCREENSHOTS

const themes = ['light', 'dark'] as const
const widths = [360, 1440] as const

requirePrograms('chromium')('the pages, looked at', () => {
  let world: World
  let chromium: Chromium

  beforeAll(async () => {
    world = await startWorld()
    chromium = await startChromium()
    if (pictures) mkdirSync(pictures, { recursive: true })
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
      for (const colorScheme of themes) {
        for (const width of widths) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize({ width, height: width === 360 ? 740 : 900 })
          await page.evaluate('Promise.all(document.getAnimations().map(({ finished }) => finished))')
          if (pictures) await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`) })
          expect(await findings(page)).toEqual([])
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
        }
      }
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

/** What axe finds, by rule and place. */
async function findings(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
