import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { requirePrograms } from '../requires.ts'
import { type Callback, type Chromium, startCallback, startChromium } from './chromium.ts'
import { type Development, startDevelopment } from './development.ts'
import { lookAt } from './look-at.ts'

requirePrograms('chromium')('RFC 9449 in Chromium, an application without a back end', () => {
  let at: Development
  let chromium: Chromium
  let elsewhere: Callback
  const errors: string[] = []

  /** A browser of its own, at the application, whose console must stay clean. */
  const open = async () => {
    const { page, context } = await chromium.open()
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text())
    })
    await page.goto(at.application)
    return { page, context }
  }
  const newTab = async (context: BrowserContext): Promise<Page> => {
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(at.application)
    return page
  }

  /** Presses a button that calls the API, and looks at what was sent. */
  const bringing = async (page: Page, name: 'Call again' | 'Renew') => {
    const answered = page.waitForResponse(`${at.api}/identity`)
    await page.getByRole('button', { name }).click()
    const response = await answered
    const { authorization = '', dpop = '' } = await response.request().allHeaders()
    await expect.poll(() => page.locator(`button[aria-disabled]`).count()).toBe(0)
    return { status: response.status(), token: authorization.replace('DPoP ', ''), proof: dpop }
  }

  beforeAll(async () => {
    at = await startDevelopment()
    chromium = await startChromium()
    elsewhere = await startCallback('tls')
  })
  afterAll(async () => {
    await chromium?.close()
    await elsewhere?.close()
    await at?.close()
  })

  it('says that the person declined, and lets go on', async () => {
    const { page, context } = await open()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await typeIn(page, 'bob')
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.getByRole('alert').waitFor()
    expect(page.url()).toBe(at.application)
    await shown(page, 'Nobody is signed in')
    await context.close()
  })

  it('signs in, calls the API, and calls it with the same key after a reload', async () => {
    const { page, context } = await open()
    await signIn(page)
    const key = await keyOn(page)
    expect(await textOf(page, 'name')).toBe('Alice Adams')
    expect(await textOf(page, 'token-type')).toBe('DPoP')
    expect(await textOf(page, 'token-key')).toBe(key)
    expect(await textOf(page, 'called')).toMatch(/^200 admitted/)
    expect(page.url()).toBe(at.application)
    await page.reload()
    await shown(page, 'You are signed in')
    expect(await keyOn(page)).toBe(key)
    expect(await textOf(page, 'token-key')).toBe(key)
    expect(await textOf(page, 'called')).toMatch(/^200 admitted/)
    await context.close()
  })

  it('renews its token, and stays with its key', async () => {
    const { page, context } = await open()
    await signIn(page)
    const key = await keyOn(page)
    const before = await bringing(page, 'Call again')
    const after = await bringing(page, 'Renew')
    expect(after.token).not.toBe(before.token)
    expect(await textOf(page, 'token-key')).toBe(key)
    await context.close()
  })

  it('shares one key and one session among tabs, those that start together too', async () => {
    const { context } = await chromium.open()
    const [one, two] = await Promise.all([newTab(context), newTab(context)])
    await Promise.all([shown(one, 'Nobody is signed in'), shown(two, 'Nobody is signed in')])
    await signIn(one)
    await signIn(two)
    const three = await newTab(context)
    await shown(three, 'You are signed in')
    expect(new Set(await Promise.all([one, two, three].map(keyOn)))).toHaveProperty('size', 1)
    await context.close()
  })

  it('signs out, in all tabs, and keeps the key for the next time', async () => {
    const { page, context } = await open()
    await signIn(page)
    const key = await keyOn(page)
    const other = await newTab(context)
    await shown(other, 'You are signed in')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await shown(page, 'Nobody is signed in')
    await other.getByRole('button', { name: 'Renew' }).click()
    await other.getByRole('alert').waitFor()
    await other.reload()
    await shown(other, 'Nobody is signed in')
    await signIn(other)
    expect(await keyOn(other)).toBe(key)
    await context.close()
  })

  it('has a private key that no script can take, not even its own', async () => {
    const { page, context } = await open()
    await signIn(page)
    const tried = await page.evaluate<Tried>(`(async () => {
      const database = await new Promise((resolve) => {
        const request = indexedDB.open('holdfast:sample')
        request.onsuccess = () => resolve(request.result)
      })
      const { pair: { privateKey } } = await new Promise((resolve) => {
        const request = database.transaction('kept').objectStore('kept').get('key')
        request.onsuccess = () => resolve(request.result)
      })
      database.close()
      const failures = {}
      for (const format of ['jwk', 'pkcs8', 'raw'])
        failures[format] = await crypto.subtle.exportKey(format, privateKey).then(() => 'exported', ({ name }) => name)
      return { kind: privateKey.type, extractable: privateKey.extractable, usages: privateKey.usages, failures }
    })()`)
    expect(tried).toEqual({
      kind: 'private',
      extractable: false,
      usages: ['sign'],
      failures: { jwk: 'InvalidAccessError', pkcs8: 'InvalidAccessError', raw: 'InvalidAccessError' },
    })
    await context.close()
  })

  it('keeps no access token where another script could find it later', async () => {
    const { page, context } = await open()
    await signIn(page)
    const { token } = await bringing(page, 'Call again')
    const stored = await page.evaluate<string>(`(async () => {
      const database = await new Promise((resolve) => {
        const request = indexedDB.open('holdfast:sample')
        request.onsuccess = () => resolve(request.result)
      })
      const all = await new Promise((resolve) => {
        const request = database.transaction('kept').objectStore('kept').getAll()
        request.onsuccess = () => resolve(request.result)
      })
      database.close()
      return JSON.stringify([all, { ...localStorage }, { ...sessionStorage }, document.cookie])
    })()`)
    expect(stored).toContain('refresh_token')
    expect(stored).not.toContain(token)
    await context.close()
  })

  it('has tokens that are of no use to another browser: with its own key, with a proof of ours, or with none', async () => {
    const ours = await open()
    await signIn(ours.page)
    const { token, proof } = await bringing(ours.page, 'Call again')
    const { page, context } = await chromium.open()
    await page.goto(at.application)
    await signIn(page, 'bob')
    expect(await keyOn(page)).not.toBe(await keyOn(ours.page))
    const url = `${at.api}/identity`
    const own = await page.evaluate<string>(`(async () => {
      const { openKeyStore, createClient } = await import('${at.application}pop/client.ts')
      const { createDpopProof } = await import('${at.application}pop/proof/dpop.ts')
      const { webContext } = await import('${at.application}pop/client/context.ts')
      const { proofKey } = await openKeyStore('sample')
      const request = { method: 'GET', url: '${url}', accessToken: '${token}' }
      return await createDpopProof(proofKey, request, webContext())
    })()`)
    const thefts = {
      'its own key': { authorization: `DPoP ${token}`, dpop: own },
      'a proof of ours, again': { authorization: `DPoP ${token}`, dpop: proof },
      'no proof': { authorization: `DPoP ${token}` },
      'as Bearer': { authorization: `Bearer ${token}` },
      'as Bearer, with its own key': { authorization: `Bearer ${token}`, dpop: own },
    }
    for (const [theft, headers] of Object.entries(thefts)) {
      const { status, challenge } = await callFrom(page, url, headers)
      expect([theft, status]).toEqual([theft, 401])
      expect(challenge).toMatch(/error="(invalid_token|invalid_dpop_proof)"/)
    }
    expect(await bringing(ours.page, 'Call again')).toHaveProperty('status', 200)
    await Promise.all([context.close(), ours.context.close()])
  })

  it('shows neither key nor answers to a page of another origin', async () => {
    const { page, context } = await open()
    await signIn(page)
    const { token } = await bringing(page, 'Call again')
    const foreign = await context.newPage()
    await foreign.goto(elsewhere.uri)
    expect(await foreign.evaluate('indexedDB.databases()')).toEqual([])
    const { api, issuer } = at
    const readable = (url: string, init: object) =>
      foreign.evaluate<string>(`fetch('${url}', ${JSON.stringify(init)}).then(() => 'readable', ({ name }) => name)`)
    const form = {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'client_id=browser',
    }
    const headers = { authorization: `DPoP ${token}` }
    expect(await readable(`${api}/identity`, { headers })).toBe('TypeError')
    expect(await readable(`${issuer}/userinfo`, { headers })).toBe('TypeError')
    expect(await readable(`${issuer}/token`, form)).toBe('TypeError')
    expect(await readable(`${issuer}/.well-known/openid-configuration`, {})).toBe('readable')
    await context.close()
  })

  it('lets no other site frame it', async () => {
    const { page, context } = await chromium.open()
    await page.goto(elsewhere.uri)
    await page.setContent(`<iframe src="${at.application}"></iframe>`)
    await expect.poll(() => page.frames().length).toBe(2)
    expect(await page.frameLocator('iframe').locator('#application').count()).toBe(0)
    expect(chromium.complaints.splice(0).join()).toContain('frame-ancestors')
    await context.close()
  })

  it('runs no script but its own, and sends nothing to anybody else, whoever writes into it', async () => {
    const { page, context } = await chromium.open()
    await page.goto(at.application)
    await shown(page, 'Nobody is signed in')
    const tried = await page.evaluate<readonly unknown[]>(`(async () => {
      const attempt = async (act) => { try { await act() } catch ({ name }) { return name } }
      const write = (script) => {
        script.text = 'window.stolen = 1'
        document.body.append(script)
      }
      return [
        await attempt(() => { document.body.innerHTML = '<img src=x onerror="window.stolen = 1">' }),
        await attempt(() => write(document.createElement('script'))),
        await attempt(() => import('${elsewhere.uri}')),
        await attempt(() => fetch('${elsewhere.uri}', { mode: 'no-cors' })),
        window.stolen,
      ]
    })()`)
    expect(tried).toEqual(['TypeError', 'TypeError', 'TypeError', 'TypeError', undefined])
    const complaints = chromium.complaints.splice(0).join()
    expect(complaints).toContain('script-src')
    expect(complaints).toContain('connect-src')
    await context.close()
  })

  it('needs no mouse', async () => {
    const { page, context } = await open()
    await shown(page, 'Nobody is signed in')
    await tabTo(page, 'Sign in')
    await page.keyboard.press('Enter')
    await page.getByLabel('Username').waitFor()
    await page.keyboard.type('alice')
    await page.keyboard.press('Tab')
    await page.keyboard.type('alice')
    await page.keyboard.press('Enter')
    await allow(page)
    await tabTo(page, 'Call again')
    const called = page.waitForResponse(`${at.api}/identity`)
    await page.keyboard.press('Enter')
    expect((await called).status()).toBe(200)
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Call again')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await context.close()
  })

  it.each([
    ['an answer that it did not ask for', '?code=code&state=state&iss=https://localhost'],
    ['a refusal that it did not ask for', '?error=access_denied&state=state'],
  ])('says what is wrong with %s, takes it out of the address, and lets go on', async (_, query) => {
    const { page, context } = await open()
    await page.goto(`${at.application}${query}`)
    await page.getByRole('alert').waitFor()
    expect(page.url()).toBe(at.application)
    await signIn(page)
    await context.close()
  })

  it.each(['signed-out', 'signed-in', 'problem'])(
    'looks well, %s: axe finds nothing, in both themes, narrow and wide',
    { timeout: 60_000 },
    async (state) => {
      const { page, context } = await open()
      if (state === 'signed-in') await signIn(page)
      if (state === 'problem') {
        await page.goto(`${at.application}?error=access_denied&state=state`)
        await page.getByRole('alert').waitFor()
      }
      await lookAt(page, `application-${state}`)
      await context.close()
    },
  )

  it('goes on where issuer and API ask for nonces', { timeout: 60_000 }, async () => {
    const asking = await startDevelopment('--nonces')
    const { page, context } = await chromium.open()
    const answers: string[] = []
    page.on('response', (response) => {
      if (response.status() >= 400) answers.push(`${response.status()} ${new URL(response.url()).pathname}`)
    })
    await page.goto(asking.application)
    await signIn(page)
    const key = await keyOn(page)
    expect(await textOf(page, 'called')).toMatch(/^200 admitted/)
    expect(new Set(answers)).toEqual(new Set(['400 /par', '400 /token', '401 /identity']))
    answers.length = 0
    await page.getByRole('button', { name: 'Renew' }).click()
    await page.getByRole('button', { name: 'Call again' }).click()
    expect(answers).toEqual([])
    await page.reload()
    await shown(page, 'You are signed in')
    expect([await keyOn(page), await textOf(page, 'token-key')]).toEqual([key, key])
    await context.close()
    await asking.close()
  })

  it('has logged no error, and its policy has refused nothing of its own', () => {
    expect(errors).toEqual([])
    expect(chromium.complaints).toEqual([])
  })
})

/** What became of the attempts to export a key. */
interface Tried {
  readonly kind: string
  readonly extractable: boolean
  readonly usages: readonly string[]
  readonly failures: Readonly<Record<string, string>>
}

async function signIn(page: Page, person = 'alice'): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click()
  await typeIn(page, person)
  await allow(page)
}

/** Their passwords are their names. Somebody who is signed in at the issuer is not asked. */
async function typeIn(page: Page, person: string): Promise<void> {
  const username = page.getByLabel('Username')
  await username.or(signedIn(page)).first().waitFor()
  if (await username.isHidden()) return
  await username.fill(person)
  await page.getByLabel('Password').fill(person)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** What was allowed once is not asked again. */
async function allow(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Allow' })
  await button.or(signedIn(page)).first().waitFor()
  if (await button.isVisible()) await button.click()
  await signedIn(page).waitFor()
}

function signedIn(page: Page) {
  return page.getByRole('heading', { name: 'You are signed in' })
}

async function shown(page: Page, heading: 'Nobody is signed in' | 'You are signed in'): Promise<void> {
  await page.getByRole('heading', { name: heading }).waitFor()
}

async function textOf(page: Page, id: string): Promise<string> {
  return (await page.locator(`#${id}`).textContent()) ?? ''
}

/** The thumbprint of the key that the page has. */
async function keyOn(page: Page): Promise<string> {
  const key = await textOf(page, 'key')
  expect(key).toMatch(/^[\w-]{43}$/)
  return key
}

/** A call of the API by a script of the page, with these headers. */
function callFrom(page: Page, url: string, headers: Readonly<Record<string, string>>) {
  return page.evaluate<{ readonly status: number; readonly challenge: string }>(
    `fetch('${url}', { headers: ${JSON.stringify(headers)} })
      .then(({ status, headers }) => ({ status, challenge: headers.get('www-authenticate') }))`,
  )
}

/** Presses Tab until the button has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 10; presses++) {
    if ((await page.evaluate('document.activeElement?.textContent')) === name) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${name}`)
}
