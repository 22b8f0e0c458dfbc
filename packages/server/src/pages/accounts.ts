import { type Form, form, initialOf, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { foreign, type Html, html } from './markup.ts'

/** Somebody as pages show them. */
export interface Account {
  readonly username: string
  readonly name?: string | undefined
}

/** The page that asks which account; its form sends `account`: the `value` of one, or nothing for another. */
export interface AccountsPage extends Form {
  readonly client?: string | undefined
  readonly accounts: readonly (Account & { readonly value: string })[]
}

/** Asks which account shall be used. */
export function renderAccounts(page: AccountsPage, look: Look): string {
  const { client, accounts } = page
  const { accounts: words } = look.words
  const content = html`
<h1>${words.title}</h1>
${client !== undefined && html`<p>${words.toContinue(html`<b>${foreign(client)}</b>`)}</p>`}
${form(page, [
  accounts.map(
    (account) => html`<button class="person" name="account" value="${account.value}">${person(account)}</button>`,
  ),
  html`<button name="account" value="">${words.other}</button>`,
])}`
  return renderDocument(look, { title: words.title, content })
}

/** Initial, name, and what they type to sign in. */
export function person({ username, name }: Account): Html {
  return html`<span class="initial" aria-hidden="true">${initialOf(name ?? username)}</span><span><b>${foreign(name ?? username)}</b>${
    name !== undefined && html`<small>${foreign(username)}</small>`
  }</span>`
}
