import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { refusals } from '@holdfast/pop'
import { settingsJsonSchema } from '../packages/server/src/settings.ts'
import { report, root, textOf } from './files.ts'

/** A JSON Schema, as far as the page on the settings reads it. */
interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
}

const schema = settingsJsonSchema() as Schema

const pages: Readonly<Record<string, string>> = {
  'docs/errors.md': errorsPage(),
  'docs/settings.md': settingsPage(),
  'packages/server/schema/settings.json': `${JSON.stringify(schema, null, 2)}\n`,
}

const { values } = parseArgs({ options: { write: { type: 'boolean' } } })
if (values.write) for (const [path, text] of Object.entries(pages)) writeFileSync(join(root, path), text)
const stale = Object.entries(pages).filter(([path, text]) => currentText(path) !== text)
report(
  stale.map(([path]) => `${path} is stale: npx node scripts/pages.ts --write`),
  `${Object.keys(pages).length} generated pages are current.`,
)

function errorsPage(): string {
  const rows = Object.entries(refusals).map(
    ([reason, { error, rule, says }]) => `| \`${reason}\` | \`${error}\` | ${rule} | ${cell(says)} |`,
  )
  return `# Errors

Every reason for which Holdfast declines a request. \`error\` and the sentence go out; the reason goes into the log and
into the guard's verdict. Reasons that an attacker must not tell apart share both. Generated from
\`packages/pop/src/oauth/refusal.ts\`.

| reason | error | follows from | sentence |
|---|---|---|---|
${rows.join('\n')}
`
}

function settingsPage(): string {
  return `# Settings

Everything that a settings file may say. Unknown keys are refused. \`packages/server/schema/settings.json\` is the same for
editors. Generated from \`packages/server/src/settings.ts\`.

| setting | type | default | meaning |
|---|---|---|---|
${settingRows(schema, '').join('\n')}
`
}

function settingRows(owner: Schema, prefix: string): readonly string[] {
  return Object.entries(owner.properties ?? {}).flatMap(([name, member]) => {
    if (name === '$schema') return []
    const path = `${prefix}${name}`
    const inner =
      member.items ?? (typeof member.additionalProperties === 'object' ? member.additionalProperties : member)
    const step = member.items ? '[].' : inner === member ? '.' : '.*.'
    const isGroup = inner.properties !== undefined
    const heading = `| \`${path}\` | ${typeOf(member)} | ${defaultOf(member, owner.required?.includes(name))} | ${cell(member.description ?? '')} |`
    if (isGroup && inner === member && member.description === undefined) return settingRows(inner, `${path}${step}`)
    return isGroup ? [heading, ...settingRows(inner, `${path}${step}`)] : [heading]
  })
}

function typeOf({ type, enum: words, anyOf, items }: Schema): string {
  if (words) return words.map((word) => `\`${String(word)}\``).join(', ')
  if (anyOf) return [...new Set(anyOf.map(typeOf))].join(' or ')
  if (type === 'array' && items) return `list of ${items.properties ? 'groups' : typeOf(items)}`
  return type === 'object' ? 'group' : (type ?? 'any')
}

function defaultOf(member: Schema, isRequired: boolean | undefined): string {
  if (member.default !== undefined && JSON.stringify(member.default) !== '{}')
    return `\`${JSON.stringify(member.default)}\``
  return isRequired ? 'required' : ''
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function currentText(path: string): string | undefined {
  try {
    return textOf(path)
  } catch {
    return undefined
  }
}
