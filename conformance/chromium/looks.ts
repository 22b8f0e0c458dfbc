import type { Page } from 'playwright-core'
import { signIn, type World } from './world.ts'

/** A page as somebody comes to see it. */
export interface Look {
  readonly name: string
  /** Brings a browser without cookies to it. */
  reach(page: Page, world: World): Promise<void>
}

/** Every page, in the state in which it has most to show. */
export const looks: readonly Look[] = [
  {
    name: 'sign-in',
    async reach(page, world) {
      await page.goto(world.ask('web'))
    },
  },
  {
    name: 'sign-in-wrong',
    async reach(page, world) {
      await page.goto(world.ask('web'))
      await signIn(page, 'wrong')
      await page.getByRole('alert').waitFor()
    },
  },
  {
    name: 'accounts',
    async reach(page, world) {
      await asAlice(page, world)
      await page.goto(world.ask('web', { prompt: 'select_account' }))
      await page.getByRole('button', { name: 'Use another account' }).waitFor()
    },
  },
  {
    name: 'consent',
    async reach(page, world) {
      const authorization_details = JSON.stringify([{ type: 'payment', amount: '9.50', currency: 'EUR' }])
      const scope = 'openid profile email offline_access api1 api1.write'
      const redirect_uri = 'https://notes.example/callback'
      await page.goto(world.ask('web', { prompt: 'consent', scope, authorization_details, redirect_uri }))
      await signIn(page)
      await page.getByRole('button', { name: 'Allow' }).waitFor()
    },
  },
  {
    name: 'device',
    async reach(page, { server }) {
      await page.goto(`${server.issuer}/device`)
    },
  },
  {
    name: 'device-unknown',
    async reach(page, { server }) {
      await page.goto(`${server.issuer}/device`)
      await page.getByLabel('Code').fill('BCDF-GHJK')
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByRole('alert').waitFor()
    },
  },
  {
    name: 'device-confirm',
    async reach(page, world) {
      const { address } = await world.askByDevice()
      await page.goto(address)
      await page.getByRole('button', { name: 'Continue' }).click()
      await signIn(page)
      await page.getByRole('button', { name: 'Allow' }).waitFor()
    },
  },
  {
    name: 'device-connected',
    async reach(page, world) {
      const { address } = await world.askByDevice()
      await page.goto(address)
      await page.getByRole('button', { name: 'Continue' }).click()
      await signIn(page)
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.getByRole('heading', { name: 'Device connected' }).waitFor()
    },
  },
  {
    name: 'sign-out',
    async reach(page, world) {
      await asAlice(page, world)
      await page.goto(`${world.server.issuer}/sign-out`)
      await page.getByRole('button', { name: 'Sign out' }).waitFor()
    },
  },
  {
    name: 'signed-out',
    async reach(page, { server }) {
      await page.goto(`${server.issuer}/sign-out`)
      await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    },
  },
  {
    name: 'error',
    async reach(page, world) {
      await page.goto(world.ask('web', { redirect_uri: 'https://elsewhere.test/callback' }))
    },
  },
]

async function asAlice(page: Page, world: World): Promise<void> {
  await page.goto(world.ask('web', { prompt: 'consent' }))
  await signIn(page)
  await page.getByRole('button', { name: 'Allow' }).waitFor()
}
