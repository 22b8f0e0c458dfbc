import type { Look } from './look.ts'
import { type Fragment, type Html, html, plain, renderHtml } from './markup.ts'

/** Hidden fields of a form: the id of the flow, the CSRF token. */
export type Fields = readonly (readonly [name: string, value: string])[]

/** Where a form of a page goes. */
export interface Form {
  /** A path of ours. */
  readonly action: string
  readonly fields: Fields
}

/**
 * A whole page around its content. The style and the script are the only texts that are not escaped; both are ours, and
 * the Content-Security-Policy names their hashes.
 */
export function renderDocument(
  look: Look,
  { title, content, script }: { readonly title: string; readonly content: Html; readonly script?: string },
): string {
  const head = html`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${plain(title, 120)} · ${plain(look.name)}</title>`
  const body = html`<main>${brand(look)}${content}</main>`
  return [
    `<!doctype html><html lang="${look.language}"><head>${renderHtml(head)}<style>${look.style}</style></head>`,
    `<body>${renderHtml(body)}${script === undefined ? '' : `<script>${script}</script>`}</body></html>`,
  ].join('')
}

/** A form that posts to us. */
export function form({ action, fields }: Form, content: Fragment): Html {
  return html`<form class="stack" method="post" action="${action}">${hidden(fields)}${content}</form>`
}

/** Hidden fields. */
export function hidden(fields: Fields): Html {
  return html`${fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}`
}

/** What went wrong, said at once by screen readers. Fields refer to it by its id. */
export function alert(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<div class="alert" role="alert" id="problem"><span>${text}</span></div>`
}

function brand({ name, logo }: Look): Html {
  const shown = plain(name)
  if (logo !== undefined) return html`<div class="brand"><img src="${logo}" alt="${shown}"></div>`
  return html`<div class="brand"><span class="mark" aria-hidden="true">${initialOf(shown)}</span>${shown}</div>`
}

/** The first letter of a name. */
export function initialOf(name: string): string {
  return (Array.from(plain(name))[0] ?? '').toUpperCase()
}
