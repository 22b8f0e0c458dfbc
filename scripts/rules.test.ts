import { describe, expect, it } from 'vitest'
import { gaps, idsIn, parseRules } from './rules.ts'

const head = 'id\twho\tlevel\tapplies\trule'
const rules = parseRules(
  [
    head,
    'RFC8705-3-5\tRS\tMUST\tyes\tAnother certificate is refused.',
    'RFC8705-4-3\tAS\tSHOULD\tyes\tRefresh tokens are bound.',
    'RFC8705-6.4-1\tAS\tMUST\tno: nothing is issued there\tNo binding.',
  ].join('\n'),
)

describe('the report on the rules', () => {
  it('is content when every MUST that applies is in a title', () => {
    expect(gaps(rules, new Map([['x.test.ts', ['RFC8705-3-5']]]))).toEqual([])
  })

  it('names a MUST that no title carries', () => {
    expect(gaps(rules, new Map())).toEqual(['no test carries RFC8705-3-5 (RS): Another certificate is refused.'])
  })

  it('names an id that no table has, unless it is a section or another document', () => {
    const tests = new Map([['x.test.ts', ['RFC8705-3-5', 'RFC8705-3-6', 'RFC8705-6.4', 'RFC8705-6', 'RFC9449-4.3-9']]])
    expect(gaps(rules, tests)).toEqual(['x.test.ts: there is no rule RFC8705-3-6'])
  })

  it('reads ids from titles, several at once, and not from comments', () => {
    const source = "it('[RFC8705-3-4, RFC8705-3-5] refuses', f) // '[RFC8705-4-3]'\nit.each([['[RFC8705-2-1] a']])"
    expect(idsIn(source)).toEqual(['RFC8705-3-4', 'RFC8705-3-5', 'RFC8705-2-1'])
  })

  it.each([
    ['a level that is none', 'RFC8705-3-5\tRS\tWILL\tyes\tx'],
    ['a no without a reason', 'RFC8705-3-5\tRS\tMUST\tno\tx'],
    ['a role that is none', 'RFC8705-3-5\tserver\tMUST\tyes\tx'],
    ['an id without a number', 'RFC8705-3\tRS\tMUST\tyes\tx'],
    ['a column too many', 'RFC8705-3-5\tRS\tMUST\tyes\tx\ty'],
  ])('refuses %s', (_, line) => {
    expect(() => parseRules(`${head}\n${line}`)).toThrow('not a rule')
  })
})
