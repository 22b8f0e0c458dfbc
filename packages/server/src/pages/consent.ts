import type { JsonObject } from '@holdfast/pop'
import { type Account, person } from './accounts.ts'
import { authorizationDetails, type ScopeDescriptions, scopeList } from './asks.ts'
import { type Form, form, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { foreign, type Html, html, plain } from './markup.ts'

/** What a client asks of a person. */
export interface Ask {
  /** The client's name. */
  readonly client: string
  /** Separated by spaces. */
  readonly scope: string
  /** What the APIs say about their scopes. */
  readonly descriptions: ScopeDescriptions
  /** RFC 9396. */
  readonly authorizationDetails?: readonly JsonObject[] | undefined
  readonly account: Account
}

/** The consent page; its form sends `decision`: `allow`, `deny` or `switch`. */
export interface ConsentPage extends Form, Ask {
  readonly redirectUri: string
}

/** Asks whether the client may have what it asks for. */
export function renderConsent(page: ConsentPage, look: Look): string {
  const { consent } = look.words
  const content = html`
<h1>${consent.heading(foreign(page.client))}</h1>
${form(
  page,
  html`${whoAndWhat(page, look)}
<p class="small">${consent.returnTo(html`<b>${destinationOf(page.redirectUri, look)}</b>`)}</p>${decision(look)}`,
)}`
  return renderDocument(look, { title: consent.title(plain(page.client)), content })
}

/** Who is signed in, and what they would allow. */
export function whoAndWhat(
  { account, scope, descriptions, authorizationDetails: details = [] }: Ask,
  look: Look,
): Html {
  const { consent } = look.words
  const scopes = scopeList(scope, descriptions, look)
  return html`
<div class="panel person" role="group" aria-label="${consent.signedInAs}">${person(account)}<button class="link" name="decision" value="switch">${consent.switchAccount}</button></div>
<section>${scopes ? html`<h2>${consent.willBeAble}</h2>${scopes}` : html`<p>${consent.signInOnly}</p>`}</section>
${details.length > 0 && html`<section><h2>${consent.details}</h2>${authorizationDetails(details, look)}</section>`}`
}

/** Deny and allow. */
export function decision({ words: { consent } }: Look): Html {
  return html`<div class="actions"><button name="decision" value="deny">${consent.deny}</button><button class="primary" name="decision" value="allow">${consent.allow}</button></div>`
}

/** The host for the web; an app has none that means anything to people. */
function destinationOf(redirectUri: string, { words: { consent } }: Look): Html | string {
  const { protocol, host, hostname } = new URL(redirectUri)
  const isWeb = /^https?:$/.test(protocol) && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  return isWeb ? foreign(host, 100) : consent.ownApp
}
