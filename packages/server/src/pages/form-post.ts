import { type Fields, hidden, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { html } from './markup.ts'

/** The one script of the pages: it presses the button. Without it people press it themselves. */
export const formPostScript = 'document.forms[0].submit()'

/** An answer that the browser carries to the client in a form. OAuth 2.0 Form Post Response Mode §2. */
export interface FormPostPage {
  readonly redirectUri: string
  readonly parameters: Fields
}

/** Sends the parameters to the client. Its headers are those of {@link FormPostPage.redirectUri} with `submits`. */
export function renderFormPost({ redirectUri, parameters }: FormPostPage, look: Look): string {
  const { formPost } = look.words
  const content = html`
<h1>${formPost.title}</h1>
<p>${formPost.text}</p>
<form class="stack" method="post" action="${redirectUri}">${hidden(parameters)}<button class="primary">${formPost.submit}</button></form>`
  return renderDocument(look, { title: formPost.title, content, script: formPostScript })
}
