import { alert, type Form, form, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { foreign, html } from './markup.ts'

/** Why somebody sees the sign-in page again. */
export type SignInProblem = 'wrong' | 'exhausted' | 'busy' | 'expired'

/** The sign-in page; its form sends `username` and `password`. */
export interface SignInPage extends Form {
  /** The name of the client that waits. */
  readonly client?: string | undefined
  /** Filled in: what was typed before, or `login_hint`. */
  readonly username?: string | undefined
  readonly problem?: SignInProblem | undefined
  /** Other places to sign in: addresses of ours that lead there. */
  readonly providers?: readonly { readonly name: string; readonly address: string }[] | undefined
}

/** Asks for username and password. */
export function renderSignIn(page: SignInPage, look: Look): string {
  const { client, username = '', problem, providers = [] } = page
  const { signIn, errorTitle } = look.words
  const invalid = problem === 'wrong' && html` aria-invalid="true"`
  const described = problem !== undefined && html` aria-describedby="problem"`
  const content = html`
<h1>${signIn.title}</h1>
${client !== undefined && html`<p>${signIn.toContinue(html`<b>${foreign(client)}</b>`)}</p>`}
${alert(problem && signIn[problem])}
${form(
  page,
  html`
<div class="field"><label for="username">${signIn.username}</label>
<input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" required maxlength="128"${invalid}${described}${username === '' && html` autofocus`}></div>
<div class="field"><label for="password">${signIn.password}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"${invalid}${described}${username !== '' && html` autofocus`}></div>
<button class="primary">${signIn.submit}</button>`,
)}
${
  providers.length > 0 &&
  html`<div class="stack"><p class="or">${signIn.or}</p>${providers.map(
    ({ name, address }) => html`<a class="button" href="${address}">${signIn.with(foreign(name))}</a>`,
  )}</div>`
}`
  return renderDocument(look, { title: problem ? errorTitle(signIn.title) : signIn.title, content })
}
