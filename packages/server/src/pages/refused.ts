import { renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { html } from './markup.ts'

/** The page for a refusal that cannot be told to the client. RFC 6749 §4.1.2.1. */
export interface RefusedPage {
  /** The OAuth code. */
  readonly error: string
  /** The sentence of the table of refusals, in English. */
  readonly says: string
}

/** Says that the request is refused, to people in their language and to developers in ours. */
export function renderRefused({ error, says }: RefusedPage, look: Look): string {
  const { error: words } = look.words
  const isOutage = error === 'server_error' || error === 'temporarily_unavailable'
  const title = isOutage ? words.unavailableTitle : words.title
  const content = html`
<h1>${title}</h1>
<p>${isOutage ? words.unavailableText : words.text}</p>
<details><summary>${words.forDevelopers}</summary><p lang="en">${says}</p><p><code>${error}</code></p></details>`
  return renderDocument(look, { title, content })
}
