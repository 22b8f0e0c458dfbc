import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { requirePrograms } from '../requires.ts'
import { type Chromium, startChromium } from './chromium.ts'
import { signIn, startWorld, type World } from './world.ts'

requirePrograms('chromium')('Chromium', () => {
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

  it('signs in, allows, and comes to the web application with a code', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web'))
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    const arrived = await arrival(page, world.web.uri)
    expect([...arrived.keys()]).toEqual(['code', 'state', 'iss'])
    const cookies = await context.cookies(world.server.issuer)
    expect(cookies.length).toBeGreaterThan(0)
    for (const { name, secure, httpOnly, sameSite, path } of cookies) {
      expect(name).toMatch(/^__Host-/)
      expect({ secure, httpOnly, sameSite, path }).toEqual({ secure: true, httpOnly: true, sameSite: 'Lax', path: '/' })
    }
    await context.close()
  })

  it('comes to a native application at the loopback interface', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('native'))
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    expect((await arrival(page, world.native.uri)).has('code')).toBe(true)
    await context.close()
  })

  it('needs no script', async () => {
    const { page, context } = await chromium.open({ javaScriptEnabled: false })
    await page.goto(world.ask('web', { prompt: 'consent' }))
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    expect((await arrival(page, world.web.uri)).has('code')).toBe(true)
    await context.close()
  })

  it('needs no mouse', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web', { prompt: 'consent' }))
    await page.locator('input[name=username]:focus').waitFor()
    await page.keyboard.type('alice')
    await page.keyboard.press('Tab')
    await page.keyboard.type('alice')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Allow' }).waitFor()
    await tabTo(page, 'Allow')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    expect((await arrival(page, world.web.uri)).has('code')).toBe(true)
    await context.close()
  })

  it('says what is wrong where the password is, and lets go on', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web', { prompt: 'consent' }))
    await signIn(page, 'wrong')
    expect(await page.getByRole('alert').textContent()).toContain('wrong')
    expect(await page.getByLabel('Username').inputValue()).toBe('alice')
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).waitFor()
    await context.close()
  })

  it('tells the application that the person declined', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web', { prompt: 'consent' }))
    await signIn(page)
    await page.getByRole('button', { name: 'Deny' }).click()
    expect((await arrival(page, world.web.uri)).get('error')).toBe('access_denied')
    await context.close()
  })

  it.each([true, false])('posts the code to the application by itself or by a button (script: %s)', async (script) => {
    const { page, context } = await chromium.open({ javaScriptEnabled: script })
    await page.goto(world.ask('web', { prompt: 'consent', response_mode: 'form_post' }))
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    if (!script) await page.getByRole('button').click()
    await page.waitForURL(`${world.web.uri}**`)
    expect(await page.title()).toBe('arrived by POST at /callback')
    await context.close()
  })

  it('connects a device', async () => {
    const { page, context } = await chromium.open()
    const { address, userCode } = await world.askByDevice()
    await page.goto(address)
    expect(await page.getByLabel('Code').inputValue()).toBe(userCode)
    await page.getByRole('button', { name: 'Continue' }).click()
    await signIn(page)
    expect(await page.locator('main').textContent()).toContain(userCode)
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByRole('heading', { name: 'Device connected' }).waitFor()
    await context.close()
  })

  it('signs out, and asks the next time who it is', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.ask('web', { prompt: 'consent' }))
    await signIn(page)
    await page.getByRole('button', { name: 'Allow' }).waitFor()
    await page.goto(`${world.server.issuer}/sign-out`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    await page.goto(world.ask('web'))
    await page.getByLabel('Username').waitFor()
    await context.close()
  })

  it('shows a page in German to whom wants it', async () => {
    const { page, context } = await chromium.open({ locale: 'de-AT' })
    await page.goto(world.ask('web'))
    expect(await page.locator('html').getAttribute('lang')).toBe('de')
    await page.getByRole('button', { name: 'Anmelden' }).waitFor()
    await context.close()
  })

  it('does not let another site frame a page', async () => {
    const { page, context } = await chromium.open()
    await page.goto(world.native.uri)
    await page.setContent(`<iframe src="${world.ask('web').replaceAll('&', '&amp;')}"></iframe>`)
    await expect.poll(() => page.frames().length).toBe(2)
    expect(await page.frameLocator('iframe').getByLabel('Username').count()).toBe(0)
    expect(chromium.complaints.splice(0).join()).toContain('frame-ancestors')
    await context.close()
  })

  it('has refused nothing of our own pages by their policy', () => {
    expect(chromium.complaints).toEqual([])
  })
})

/** The parameters with which the browser came to the application. */
async function arrival(page: Page, uri: string): Promise<URLSearchParams> {
  await page.waitForURL(`${uri}?**`)
  return new URL(page.url()).searchParams
}

/** Presses Tab until the button has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 10; presses++) {
    if ((await page.evaluate('document.activeElement?.textContent')) === name) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${name}`)
}
