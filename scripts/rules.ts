import { basename } from 'node:path'
import process from 'node:process'
import { report, repositoryFiles, textOf } from './files.ts'
import { withoutComments } from './imports.ts'

/** One requirement of an RFC, as `conformance/rules/*.tsv` lists it. */
export interface Rule {
  readonly id: string
  readonly who: string
  readonly level: string
  readonly applies: string
  readonly rule: string
}

const columns = 'id\twho\tlevel\tapplies\trule'

/** Parses a table of rules. @throws Error naming the line that is not a rule */
export function parseRules(table: string): readonly Rule[] {
  const [head, ...lines] = table.trimEnd().split('\n')
  if (head !== columns) throw new Error(`the first line must be: ${columns}`)
  return lines.map((line) => {
    const [id = '', who = '', level = '', applies = '', rule = '', ...more] = line.split('\t')
    const isRule =
      /^RFC\d+-[\dA-Z.]+-\d+$/.test(id) &&
      /^(?:AS|RS|client)(?: (?:AS|RS|client))*$/.test(who) &&
      /^(?:MUST|SHOULD|MAY)$/.test(level) &&
      /^(?:yes|no: .+)$/.test(applies)
    if (!isRule || rule === '' || more.length > 0) throw new Error(`not a rule: ${line}`)
    return { id, who, level, applies, rule }
  })
}

/** The ids that the titles of a test file carry: `[RFC8705-3-5]`, or several with commas between them. */
export function idsIn(source: string): readonly string[] {
  const strings = withoutComments(source).match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? []
  return strings.flatMap((text) =>
    [...text.matchAll(/\[(RFC\d+-[^\]]+)\]/g)].flatMap((match) => (match[1] ?? '').split(/,\s*/)),
  )
}

/** What is wrong: rules of level MUST that no test carries, ids listed twice, ids in tests that no table has. */
export function gaps(rules: readonly Rule[], tests: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const carried = new Set([...tests.values()].flat())
  const known = new Set(rules.map(({ id }) => id))
  const tabled = new Set(rules.map(({ id }) => documentOf(id)))
  const twice = rules.filter(({ id }, index) => rules.findIndex((other) => other.id === id) !== index)
  const open = rules.filter(({ id, level, applies }) => level === 'MUST' && applies === 'yes' && !carried.has(id))
  const unknown = [...tests].flatMap(([path, ids]) =>
    ids
      .filter((id) => tabled.has(documentOf(id)) && !known.has(id) && !isSection(id, rules))
      .map((id) => `${path}: there is no rule ${id}`),
  )
  return [
    ...open.map(({ id, who, rule }) => `no test carries ${id} (${who}): ${rule}`),
    ...twice.map(({ id }) => `${id} is listed twice`),
    ...unknown,
  ]
}

/** A whole section, such as `RFC8705-3.1`: allowed in a title, but it holds no rule. */
function isSection(id: string, rules: readonly Rule[]): boolean {
  return rules.some((rule) => rule.id.startsWith(`${id}-`) || rule.id.startsWith(`${id}.`))
}

function documentOf(id: string): string {
  return id.slice(0, id.indexOf('-'))
}

if (import.meta.main) {
  const rules = repositoryFiles('.tsv')
    .filter((path) => path.startsWith('conformance/rules/'))
    .flatMap((path) => parseRules(textOf(path)))
  const tests = new Map(
    repositoryFiles('.test.ts')
      .filter(isHeld)
      .map((path) => [path, idsIn(textOf(path))]),
  )
  for (const { id, level, applies } of rules) {
    const holders = [...tests].filter(([, ids]) => ids.includes(id)).map(([path]) => basename(path))
    process.stdout.write(
      `${id.padEnd(18)} ${level.padEnd(6)} ${applies === 'yes' ? holders.join(' ') || '-' : applies}\n`,
    )
  }
  report(gaps(rules, tests), `${rules.length} rules: every MUST that applies has a test.`)
}

function isHeld(path: string): boolean {
  return !path.startsWith('scripts/')
}
