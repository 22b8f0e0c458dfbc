import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renderAccounts } from './accounts.ts'
import { renderConsent } from './consent.ts'
import { renderDeviceConfirm, renderDeviceDone, renderDeviceEntry } from './device.ts'
import { renderFormPost } from './form-post.ts'
import { type Look, lookFor } from './look.ts'
import { renderRefused } from './refused.ts'
import { renderSignIn } from './sign-in.ts'
import { renderSignedOut, renderSignOut } from './sign-out.ts'
import { languages } from './words.ts'

/** Every page, with this text wherever somebody else may choose one. */
const pages: Readonly<Record<string, (text: string, look: Look) => string>> = {
  'sign in': (text, look) => renderSignIn({ ...formOf(text), client: text, username: text }, look),
  'sign in again': (text, look) =>
    renderSignIn(
      { ...formOf(text), username: text, problem: 'wrong', providers: [{ name: text, address: '/sign-in/up' }] },
      look,
    ),
  'choose an account': (text, look) =>
    renderAccounts(
      {
        ...formOf(text),
        client: text,
        accounts: [
          { username: text, name: text, value: text },
          { username: text, value: '' },
        ],
      },
      look,
    ),
  consent: (text, look) =>
    renderConsent({ ...formOf(text), ...askOf(text), redirectUri: 'https://client.example/cb' }, look),
  'enter a code': (text, look) => renderDeviceEntry({ ...formOf(text), userCode: text, problem: 'unknown' }, look),
  'confirm a device': (text, look) => renderDeviceConfirm({ ...formOf(text), ...askOf(text), userCode: text }, look),
  'device done': (_, look) => renderDeviceDone({ outcome: 'approved' }, look),
  'sign out': (text, look) => renderSignOut({ ...formOf(text), account: { username: text, name: text } }, look),
  'signed out': (text, look) =>
    renderSignedOut({ next: { client: text, address: `https://client.example/?${text}` } }, look),
  refused: (text, look) => renderRefused({ error: text, says: text }, look),
  'form post': (text, look) =>
    renderFormPost({ redirectUri: `https://client.example/cb?${text}`, parameters: [['state', text]] }, look),
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '<script>',
    '</main>',
    '"><b>',
    "' autofocus onfocus='a",
    '</title>',
    '<!--',
    '</style>',
    '&#x3c;b>',
    '$&',
  ),
)

describe.each(Object.entries(pages))('the page "%s"', (_, render) => {
  it('has the same tags and attributes whatever it is told', () => {
    const look = lookFor({}, { name: 'Example' })
    const expected = skeletonOf(render('x', look))
    fc.assert(
      fc.property(hostile, (text) => {
        const told = `x${text.replaceAll(' ', '')}`
        expect(skeletonOf(render(told, lookFor({}, { name: told })))).toEqual(expected)
      }),
    )
  })

  it.each(languages)('can be read out in %s', (language) => {
    const page = render('x', lookFor({ uiLocales: [language] }, { name: 'Example' }))
    expect(page).toContain(`<html lang="${language}">`)
    expect(page.match(/<h1>.+?<\/h1>/gs)).toHaveLength(1)
    expect(page.match(/<main>/g)).toHaveLength(1)
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    const named = [...page.matchAll(/ (?:for|aria-describedby)="([^"]+)"/g)].map(([, id]) => id)
    expect(named.filter((id) => !ids.has(id))).toEqual([])
    const fields = [...page.matchAll(/<input(?! type="hidden")[^>]*>/g)].map(([field]) => field)
    expect(fields.filter((field) => !named.includes(/ id="([^"]+)"/.exec(field)?.[1]))).toEqual([])
  })

  it('carries no style and no handler of its own', () => {
    const page = render('x', lookFor({}, { name: 'Example' }))
    expect(page).not.toMatch(/<[^>]+ (?:style|on[a-z]+)=/)
    expect(page.match(/<style>/g)).toHaveLength(1)
  })
})

describe('the sign-in page', () => {
  const look = lookFor({}, { name: 'Example' })

  it('helps password managers', () => {
    const page = renderSignIn(formOf('x'), look)
    expect(page).toMatch(/<input id="username" [^>]*autocomplete="username"/)
    expect(page).toMatch(/<input id="password" [^>]*type="password" autocomplete="current-password"/)
  })

  it('says at once what is wrong, and where', () => {
    const page = renderSignIn({ ...formOf('x'), username: 'alice', problem: 'wrong' }, look)
    expect(page).toContain('<title>Error: Sign in · Example</title>')
    expect(page).toContain('<div class="alert" role="alert" id="problem">')
    expect(page).toMatch(/<input id="password" [^>]*aria-invalid="true" aria-describedby="problem" autofocus>/)
    expect(page).toMatch(/<input id="username" [^>]*value="alice"/)
  })
})

describe('the consent page', () => {
  const look = lookFor({ uiLocales: ['de'] }, { name: 'Example' })
  const consent = (more: Partial<Parameters<typeof renderConsent>[0]>) =>
    renderConsent({ ...formOf('x'), ...askOf('Acme'), redirectUri: 'https://client.example:8443/cb', ...more }, look)

  it('says what a scope means: as the API says, in the words of the page, or by its name', () => {
    const page = consent({
      scope: 'openid email photos orders constructor',
      descriptions: { photos: { en: 'See photos', de: 'Fotos sehen' }, orders: 'Place <orders>' },
    })
    const listed = [...page.matchAll(/<li>(.*?)<\/li>/g)].map(([, text]) => text)
    expect(listed).toEqual([
      'Ihre E-Mail-Adresse sehen',
      'Fotos sehen',
      'Place &lt;orders&gt;',
      '<code><bdi>constructor</bdi></code>',
    ])
  })

  it('says so when the sign-in is all', () => {
    expect(consent({ scope: 'openid' })).toContain('nichts außer Ihrer Anmeldung')
  })

  it('[RFC9396-14] lists authorization details by name and value, as far as they can be read', () => {
    let deep: object = { amount: 1 }
    for (let depth = 0; depth < 10; depth++) deep = { inner: deep }
    const page = consent({
      authorizationDetails: [{ type: 'payment', instructedAmount: { value: '12' }, recurring: false, deep }],
    })
    expect(page).toContain('<dt><bdi>instructed amount</bdi></dt>')
    expect(page).toContain('<dd>nein</dd>')
    expect(page.match(/<bdi>inner<\/bdi>/g)).toHaveLength(3)
  })

  it.each([
    ['the host of a client on the web', 'https://client.example:8443/cb', 'client.example:8443'],
    ['an app for a loopback address', 'http://127.0.0.1:4711/cb', 'einer App'],
    ['an app for a scheme of its own', 'com.example.app:/cb', 'einer App'],
  ])('names %s', (_, redirectUri, named) => {
    expect(consent({ redirectUri })).toMatch(new RegExp(`zurück zu <b>(<bdi>)?${named}`))
  })

  it('offers to allow, to deny and to switch', () => {
    const decisions = [...consent({}).matchAll(/<button[^>]* name="decision" value="([a-z]+)"/g)].map(
      ([, value]) => value,
    )
    expect(decisions).toEqual(['switch', 'deny', 'allow'])
  })
})

function formOf(text: string) {
  return { action: '/sign-in', fields: [['flow', text]] as const }
}

function askOf(text: string) {
  return {
    client: text,
    scope: `openid profile ${text}`,
    descriptions: { [text]: text },
    authorizationDetails: [{ type: text, list: [text, text], inner: { name: text }, flag: true }],
    account: { username: text, name: text },
  }
}

/** Tags and the names of their attributes, in order. */
function skeletonOf(page: string): readonly string[] {
  const bare = page.replace(/<style>[^<]*<\/style>/, '<style>')
  return [...bare.matchAll(/<[^>]*>?/g)].map(([tag]) => tag.replace(/="[^"]*"/g, '='))
}
