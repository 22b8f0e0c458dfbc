import type { JsonObject } from '@holdfast/pop'
import { alert, form, initialOf, renderDocument } from '../pages/document.ts'
import { lookFor } from '../pages/look.ts'
import { foreign, type Html, html } from '../pages/markup.ts'

/** What came of a call of the sample API. */
export interface Called {
  readonly status: number
  /** What the guard has looked at. */
  readonly checks: readonly string[]
  readonly challenge: string | undefined
}

/** What the page of somebody who is signed in shows. */
export interface SignedInPage {
  /** Of UserInfo. */
  readonly person: JsonObject
  /** Of the access token. */
  readonly claims: JsonObject | undefined
  /** By the back end, with its certificate. */
  readonly called: Called
  /** With the same token and without the certificate. */
  readonly stolen: Called
}

/** How the sample web page looks: as the issuer's pages, in English, in a colour of its own. */
export const sampleLook = lookFor({}, { name: 'Sample web page', accent: '#6b3fa0' })

/** What somebody who tries it out needs to know. */
export const whoCanSignIn = html`<details><summary>Who can sign in?</summary><p><b>alice</b> with the password <b>alice</b>, and <b>bob</b> with <b>bob</b>.</p></details>`

/** The page for somebody who is not signed in. */
export function renderWelcome(): string {
  const content = html`
<h1>Nobody is signed in</h1>
<p>This page signs you in at the issuer, and its back end calls the API for you. Your browser needs no certificate.</p>
<div class="stack"><a class="button primary" href="/sign-in">Sign in</a></div>
${whoCanSignIn}
<p class="small"><a href="/browser/">The same without a back end</a></p>`
  return renderDocument(sampleLook, { title: 'Nobody is signed in', content })
}

/** The page for somebody who is signed in. */
export function renderSignedIn({ person, claims, called, stolen }: SignedInPage): string {
  const name = textOf(person.name) ?? textOf(person.preferred_username) ?? textOf(person.sub) ?? 'Somebody'
  const content = html`
<h1>You are signed in</h1>
<div class="stack">
<div class="panel person"><span class="initial" aria-hidden="true">${initialOf(name)}</span><span><b>${foreign(name)}</b><small>${foreign(textOf(person.email) ?? textOf(person.sub) ?? '')}</small></span></div>
<section class="field"><h2>The API, asked by this page</h2>${answerOf(called)}</section>
<section class="field"><h2>The API, asked by somebody else with the same token</h2>${answerOf(stolen)}</section>
<section class="field"><h2>The access token</h2>${claims ? claimList(claims) : html`<p>An opaque one: only the issuer can read it.</p>`}</section>
</div>
${form({ action: '/sign-out', fields: [] }, html`<button>Sign out</button>`)}`
  return renderDocument(sampleLook, { title: name, content })
}

/** The page for what did not work. */
export function renderFailed(error?: { readonly reason: string; readonly message: string }): string {
  const content = html`
<h1>That did not work</h1>
${alert(error?.message)}
<div class="stack"><a class="button" href="/">Go back</a></div>
${error && html`<details><summary>For developers</summary><p><code>${error.reason}</code></p></details>`}`
  return renderDocument(sampleLook, { title: 'That did not work', content })
}

function answerOf({ status, checks, challenge = '' }: Called): Html {
  const error = /error="([^"]*)"/.exec(challenge)?.[1] ?? 'refused'
  const why = /error_description="([^"]*)"/.exec(challenge)?.[1] ?? ''
  const [verdict, because] = status === 200 ? ['admitted', `Checked: ${checks.join(', ')}.`] : [error, why]
  return html`<div class="panel"><b>${status} ${foreign(verdict)}</b><p class="small">${foreign(because, 300)}</p></div>`
}

function claimList(claims: JsonObject): Html {
  const rows = Object.entries(claims).map(
    ([name, value]) => html`<dt>${foreign(name)}</dt><dd><code>${foreign(written(name, value), 200)}</code></dd>`,
  )
  return html`<dl>${rows}</dl>`
}

function written(name: string, value: unknown): string {
  if (typeof value === 'number' && ['iat', 'exp', 'auth_time'].includes(name))
    return new Date(value * 1000).toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
