import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foreign, html, plain, renderHtml } from './markup.ts'

describe('escaping in templates', () => {
  it('leaves the text of the template alone and joins lists', () => {
    expect(renderHtml(html`<p>${['a', 1, html`<b>${'c'}</b>`]}${undefined}${false}</p>`)).toBe('<p>a1<b>c</b></p>')
  })

  it('lets no value out of a text or an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const written = renderHtml(html`<a title="${value}">${value}</a>`)
        expect(written.match(/[<>"'`]/g)).toEqual(['<', '"', '"', '>', '<', '>'])
        expect(written.match(/&(?!(?:amp|lt|gt|quot|#39|#96);)/)).toBeNull()
      }),
      { examples: [['<script>'], ['" onclick="'], ["'"], ['&lt;'], ['`']] },
    )
  })

  it('takes no object for its own result', () => {
    const forged = JSON.parse('{"markup":"<script>"}')
    expect(() => renderHtml(html`${forged}`)).toThrow(TypeError)
  })
})

describe('texts that somebody else chose', () => {
  it.each([
    ['a name', 'Acme Photo Print', 'Acme Photo Print'],
    ['a name from right to left', 'אקמה', 'אקמה'],
    ['an override of the direction', 'moc.\u202emca.\u202c evil', 'moc.mca. evil'],
    ['isolates and marks', '\u2066a\u2069\u200fb\u061c', 'ab'],
    ['characters that cannot be seen', 'Ac\u200bme\ufeff\u00ad\u3164', 'Acme'],
    ['line breaks', 'Acme\r\n\u2028Sign in', 'Acme Sign in'],
    ['NUL and escape', 'a\0\u001b[31mb', 'a[31mb'],
    ['a heap of marks', `e${'\u0301'.repeat(50)}`, 'é\u0301\u0301\u0301'],
    ['half of a pair', 'a\ud800b', 'ab'],
  ])('shows %s as %j', (_, given, shown) => {
    expect(plain(given)).toBe(shown)
  })

  it('shows 60 characters, and of 61 the first 59', () => {
    expect(plain('x'.repeat(60))).toBe('x'.repeat(60))
    expect(plain('x'.repeat(61))).toBe(`${'x'.repeat(59)}…`)
  })

  it('sets them apart, escaped', () => {
    expect(renderHtml(foreign('<b>'))).toBe('<bdi>&lt;b&gt;</bdi>')
  })
})
