import { describe, expect, it } from 'vitest'
import { harmless, renderTable } from './terminal.ts'

describe('what a terminal shows', () => {
  it('lays rows out in columns, however they are coloured', () => {
    const rows = [
      ['\u001b[32mok\u001b[39m', 'first'],
      ['FAILED', 'second'],
    ]
    expect(renderTable(rows, 80, '  ')).toBe('  \u001b[32mok\u001b[39m      first\n  FAILED  second')
  })

  it('wraps the last column at the edge, and leaves long words whole', () => {
    const long = 'x'.repeat(40)
    expect(renderTable([['a', `one two ${long} three`]], 27)).toBe(`a  one two\n   ${long}\n   three`)
  })

  it.each([
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['a title', '\u001b]0;title\u0007rest', 'rest'],
    ['a carriage return', 'good\rbad', 'good\uFFFDbad'],
    ['a change of direction', 'abc\u202Edef', 'abc\uFFFDdef'],
    ['nothing in lines and tabs', 'a\n\tb', 'a\n\tb'],
  ])('takes %s out of what a server sent', (_, text, shown) => {
    expect(harmless(text)).toBe(shown)
  })
})
