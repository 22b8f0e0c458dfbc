import type { JsonObject } from '@holdfast/pop'
import type { Look } from './look.ts'
import { foreign, type Html, html } from './markup.ts'
import type { Language, Words } from './words.ts'

/** What scopes mean, for people: a sentence, or one in each language. */
export type ScopeDescriptions = Readonly<Record<string, string | Readonly<Record<Language, string>>>>

/** What these APIs say about their scopes. */
export function descriptionsOf(apis: readonly { readonly scopeDescriptions: ScopeDescriptions }[]): ScopeDescriptions {
  return Object.fromEntries(apis.flatMap((api) => Object.entries(api.scopeDescriptions)))
}

/** The scopes as a list, or undefined when they ask for nothing but the sign-in. */
export function scopeList(scope: string, descriptions: ScopeDescriptions, look: Look): Html | undefined {
  const scopes = scope.split(' ').filter((each) => each !== '' && each !== 'openid')
  if (scopes.length === 0) return undefined
  return html`<ul class="asks">${scopes.map((each) => html`<li>${describe(each, descriptions, look)}</li>`)}</ul>`
}

function describe(
  scope: string,
  descriptions: ScopeDescriptions,
  { words: { scopes }, language }: Look,
): Html | string {
  const given = Object.hasOwn(descriptions, scope) ? descriptions[scope] : undefined
  if (given !== undefined) return typeof given === 'string' ? given : given[language]
  return isBuiltIn(scope, scopes) ? scopes[scope] : html`<code>${foreign(scope, 80)}</code>`
}

function isBuiltIn(scope: string, scopes: Words['scopes']): scope is keyof Words['scopes'] {
  return Object.hasOwn(scopes, scope)
}

/** How deep, how long and how many: what is judged by its type may still be too much to read. */
const mostDepth = 4
const mostMembers = 24
const mostCharacters = 200
const mostOfName = 80

/** Says whether the page shows a detail whole: nobody can allow what they do not see. */
export function isReadable({ type: _, ...members }: JsonObject): boolean {
  return isWhole(members, 0)
}

function isWhole(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isShort(value, mostCharacters)
  if (typeof value !== 'object' || value === null) return true
  const members = Object.entries(value)
  return (
    depth < mostDepth &&
    members.length <= mostMembers &&
    members.every(([name, each]) => isShort(spaced(name), mostOfName) && isWhole(each, depth + 1))
  )
}

function isShort(text: string, most: number): boolean {
  return Array.from(text.normalize('NFC')).length <= most
}

/** `authorization_details` as lists of names and values. RFC 9396. */
export function authorizationDetails(details: readonly JsonObject[], look: Look): Html {
  return html`<ul class="details">${details
    .slice(0, mostMembers)
    .map(
      ({ type, ...members }) =>
        html`<li class="panel"><b>${foreign(String(type), 80)}</b>${written(members, look, 0)}</li>`,
    )}${details.length > mostMembers && html`<li>…</li>`}</ul>`
}

function written(value: unknown, look: Look, depth: number): Html | string {
  if (typeof value === 'boolean') return value ? look.words.consent.yes : look.words.consent.no
  if (typeof value === 'string' || typeof value === 'number') return foreign(String(value), mostCharacters)
  if (typeof value !== 'object' || value === null) return ''
  if (depth >= mostDepth) return '…'
  if (Array.isArray(value)) {
    const shown = value.slice(0, mostMembers).map((each) => html`<div>${written(each, look, depth + 1)}</div>`)
    return html`${shown}${value.length > mostMembers && '…'}`
  }
  const members = Object.entries(value)
  if (members.length === 0) return ''
  const shown = members
    .slice(0, mostMembers)
    .map(
      ([name, each]) => html`<dt>${foreign(spaced(name), mostOfName)}</dt><dd>${written(each, look, depth + 1)}</dd>`,
    )
  return html`<dl>${shown}${members.length > mostMembers && html`<dt>…</dt><dd></dd>`}</dl>`
}

/** `instructed_amount` and `instructedAmount` as people write it. */
function spaced(name: string): string {
  return name
    .replaceAll('_', ' ')
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
}
