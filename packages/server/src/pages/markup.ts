const markup = Symbol('markup')

/** Markup that {@link html} made: every value in it is escaped. Nothing else can make one. */
export interface Html {
  readonly [markup]: string
}

/** What may stand in a template. Strings are escaped; `undefined` and `false` are nothing; lists stand in a row. */
export type Fragment = Html | string | number | undefined | false | readonly Fragment[]

/** A template in which every value is escaped but its own results. Attributes must be in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Fragment[]): Html {
  return { [markup]: strings.map((text, index) => text + written(values[index])).join('') }
}

/** The text of the markup, for the wire. */
export function renderHtml(fragment: Html): string {
  return fragment[markup]
}

/**
 * A text that somebody else chose, such as a client's name: on one line, without characters that are invisible or turn
 * the direction of what follows, few marks on a letter, and not longer than the page bears.
 */
export function plain(text: string, most = 60): string {
  const visible = text
    .normalize('NFC')
    .replace(/[\s\p{Z}]+/gu, ' ')
    .replace(/\p{C}|\p{Default_Ignorable_Code_Point}|\u2800/gu, '')
    .replace(/(\p{M}{3})\p{M}+/gu, '$1')
    .trim()
  const characters = Array.from(visible)
  return characters.length > most
    ? `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
    : visible
}

/** The same, set apart: its direction cannot reach its surroundings. */
export function foreign(text: string, most?: number): Html {
  return html`<bdi>${plain(text, most)}</bdi>`
}

function written(value: Fragment): string {
  if (value === undefined || value === false) return ''
  if (typeof value === 'string' || typeof value === 'number') return escaped(String(value))
  return markup in value ? value[markup] : value.map(written).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => entities[character] ?? '')
}
