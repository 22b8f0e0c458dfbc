import { type Account, person } from './accounts.ts'
import { type Form, form, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { foreign, html } from './markup.ts'

/** The page that asks before signing out; its form sends `decision`: `sign-out` or `stay`. */
export interface SignOutPage extends Form {
  readonly account: Account
}

/** Asks whether to sign out, where nobody vouches that the person wants it. OpenID Connect RP-Initiated Logout §2. */
export function renderSignOut(page: SignOutPage, look: Look): string {
  const { signOut } = look.words
  const content = html`
<h1>${signOut.title}</h1>
${form(
  page,
  html`
<div class="panel person">${person(page.account)}</div>
<div class="actions"><button name="decision" value="stay">${signOut.stay}</button><button class="primary" name="decision" value="sign-out">${signOut.submit}</button></div>`,
)}`
  return renderDocument(look, { title: signOut.title, content })
}

/** The page after signing out. */
export interface SignedOutPage {
  /** Where to go on: a registered address and whose it is. */
  readonly next?: { readonly client: string; readonly address: string } | undefined
}

/** Says that nobody is signed in any more. */
export function renderSignedOut({ next }: SignedOutPage, look: Look): string {
  const { signOut } = look.words
  const content = html`
<div class="done" aria-hidden="true"></div>
<h1>${signOut.done}</h1>
${
  next
    ? html`<div class="stack"><a class="button primary" href="${next.address}">${signOut.goTo(foreign(next.client))}</a></div>`
    : html`<p>${signOut.doneText}</p>`
}`
  return renderDocument(look, { title: signOut.done, content })
}
