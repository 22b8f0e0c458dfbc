import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** A folder for pictures; `docs/screenshots` holds the current ones. */
const pictures = process.env.HOLDFAST_SCREENSHOTS

/** What people can choose. */
export const themes = ['light', 'dark'] as const
const widths = [360, 1440] as const

/** In both themes, narrow and wide: axe finds nothing, and nothing stands out to the side. Takes the pictures. */
export async function lookAt(page: Page, name: string): Promise<void> {
  if (pictures) mkdirSync(pictures, { recursive: true })
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
}

/** What axe finds, by rule and place. */
async function findings(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
