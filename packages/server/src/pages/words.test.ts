import { describe, expect, it } from 'vitest'
import { html, renderHtml } from './markup.ts'
import { chooseLanguage, languages, words } from './words.ts'

describe('words', () => {
  it.each(languages)('says everything in %s', (language) => {
    const said = saidIn(words[language])
    expect(said.length).toBeGreaterThan(60)
    expect(said.filter(([, text]) => text.trim() === '')).toEqual([])
  })

  it('says nothing in German that is English', () => {
    const english = new Map(saidIn(words.en))
    const same = saidIn(words.de).filter(([path, text]) => english.get(path) === text)
    expect(same.map(([path]) => path)).toEqual(['.device.code'])
  })
})

describe('[OIDC.Core-3.1.2.1] choosing a language', () => {
  it.each([
    ['the first of ui_locales that there is', ['fr', 'de-AT', 'en'], 'en', 'de'],
    ['ui_locales before the browser', ['en'], 'de', 'en'],
    ['the favourite of the browser', [], 'fr, en;q=0.5, de;q=0.8', 'de'],
    ['what stands first among equals', [], 'de, en', 'de'],
    ['nothing that the browser declines', [], 'de;q=0, *', 'en'],
    ['a tag in capital letters', [], 'DE-de', 'de'],
    ['English when it knows none', ['fr'], 'ja', 'en'],
    ['English for a header that is none', [], ';;q=,,q=x', 'en'],
    ['English without a header', [], undefined, 'en'],
  ] as const)('takes %s', (_, uiLocales, acceptLanguage, chosen) => {
    expect(chooseLanguage(uiLocales, acceptLanguage)).toBe(chosen)
  })
})

/** Every text, with the path to it. */
function saidIn(node: unknown, path = ''): readonly [path: string, text: string][] {
  if (typeof node === 'string') return [[path, node]]
  if (typeof node === 'function') {
    const said = node(html`NAME`)
    return [[path, typeof said === 'string' ? said : renderHtml(said)]]
  }
  return Object.entries(node ?? {}).flatMap(([name, inner]) => saidIn(inner, `${path}.${name}`))
}
