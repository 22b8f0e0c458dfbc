import type { Seconds } from '@holdfast/pop'
import type { Command } from 'commander'
import type { Administration } from '../administration/administration.ts'
import type { ShownAudit } from '../administration/audit/audit.ts'
import type { AuditAnchor, AuditChain, AuditFault } from '../administration/audit/chain.ts'
import { type AuditEvent, auditEvents } from '../model/audit.ts'
import { Failure } from './exit.ts'
import { systemNow } from './moment.ts'
import { administering } from './operator.ts'
import { repeated } from './repeated.ts'
import { configOption } from './settings-file.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

interface ListOptions {
  readonly config?: string
  readonly node?: string
  readonly since?: string
  readonly event?: string
  readonly client?: string
  readonly limit: string
  readonly json?: true
}

interface VerifyOptions {
  readonly config?: string
  readonly expect?: readonly string[]
  readonly json?: true
}

interface ExportOptions {
  readonly config?: string
  readonly since?: string
  readonly after?: readonly string[]
}

/** So many entries are exported at once. */
const page = 500

/** `holdfast audit list|verify|export` */
export function defineAudit(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('Show what was recorded last, the newest at the end, in local time.')
    .option('--since <moment>', 'such as 7d, 12h, 30m, 2027-01-31 or 2027-01-31T08:00')
    .option('--event <event>', 'only this one, such as client_changed')
    .option('--client <id>', 'only about this client')
    .option('--node <name>', 'only of this node')
    .option('--limit <count>', 'at most so many', '50')
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      () => `
Events:
${renderTable([['', auditEvents.join(', ')]], terminal.columns)}

  $ holdfast audit list --since 24h
  $ holdfast audit list --event attack_suspected --limit 10`,
    )
    .action(async (options: ListOptions) => {
      const question = questionOf(options)
      const { entries } = await administering(options.config, ({ administer }) => administer('audit-list', question))
      if (options.json) terminal.out(JSON.stringify({ entries: entries.map(dated) }, null, 2))
      else if (entries.length === 0) terminal.note('There are no such entries.')
      else terminal.out(renderEntries(entries, terminal))
    })

  command
    .command('verify')
    .description(
      'Say whether each entry is as it was recorded, and none is missing: exit 0, or 1 with the first that is not.',
    )
    .option('--expect <anchor>', 'node:number:mac as an earlier verify printed it; may be repeated', repeated)
    .option(...configOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Each node has a chain of its own: an entry is sealed together with the one before, and
the end of the chain too, under a key that is not in the database. Whoever can write
there, but has not that key, cannot change, remove or add an entry unseen. They can put
back an older state as a whole; and whoever has the key too can write another log.
What shows that: an anchor that you keep where neither of them gets.

  $ holdfast audit verify
  $ holdfast audit verify --expect as-1:1200:4zXy...`,
    )
    .action(async ({ config, expect = [], json }: VerifyOptions) => {
      const expected = expect.map(anchorOf)
      const { chains } = await administering(config, ({ administer }) => administer('audit-verify', { expected }))
      const faults = chains.flatMap(({ fault }) => fault ?? [])
      if (json) terminal.out(JSON.stringify({ chains, sound: faults.length === 0 }, null, 2))
      else if (faults.length === 0) terminal.out(renderChains(chains, terminal))
      if (faults.length > 0) throw new Failure(1, faults.map(sentenceOf).join('\n'))
    })

  command
    .command('export')
    .description('Print the entries as lines of JSON, for a SIEM or an archive: of each node in their order.')
    .option('--since <moment>', 'such as 7d, 12h, 2027-01-31 or 2027-01-31T08:00')
    .option('--after <place>', 'node:number of the last entry that you have; may be repeated', repeated)
    .option(...configOption)
    .addHelpText(
      'after',
      `
  $ holdfast audit export --after as-1:1200 --after as-2:34 >> audit.jsonl`,
    )
    .action(async ({ config, since, after = [] }: ExportOptions) => {
      const from = since === undefined ? 0 : momentOf(since)
      const places = new Map(after.map(placeOf))
      await administering(config, async (administration) => {
        const { nodes } = await administration.administer('audit-export', { after: 0, limit: 1 })
        for (const node of nodes)
          await exportNode({ node, from, after: places.get(node) ?? 0 }, administration, terminal)
      })
    })
}

async function exportNode(
  { node, from, after }: { readonly node: string; readonly from: Seconds; readonly after: number },
  { administer }: Administration,
  { out }: Terminal,
): Promise<void> {
  for (let last = after; ; ) {
    const { entries } = await administer('audit-export', { node, after: last, limit: page })
    const lines = entries.filter(({ time }) => time >= from).map((entry) => JSON.stringify(dated(entry)))
    if (lines.length > 0) out(lines.join('\n'))
    const end = entries.at(-1)
    if (!end || entries.length < page) return
    last = end.number
  }
}

function questionOf({ node, since, event, client, limit }: ListOptions) {
  const most = Number(limit)
  if (!Number.isInteger(most) || most < 1 || most > 10_000)
    throw new Failure(2, 'Write --limit as a number, 1 to 10000.')
  return {
    limit: most,
    ...(node !== undefined && { node }),
    ...(since !== undefined && { since: momentOf(since) }),
    ...(event !== undefined && { event: eventOf(event) }),
    ...(client !== undefined && { client }),
  }
}

function eventOf(name: string): AuditEvent {
  const event = auditEvents.find((each) => each === name)
  if (event === undefined)
    throw new Failure(2, `There is no event "${name}". Those there are: ${auditEvents.join(', ')}.`)
  return event
}

const units: Readonly<Record<string, Seconds>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** A length of time before now, or a moment: a date is its midnight here. */
function momentOf(text: string): Seconds {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return systemNow() - Number(count) * (units[unit] ?? 1)
  const moment = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text)
  if (Number.isNaN(moment))
    throw new Failure(2, `--since: "${text}" is no moment. Write 7d, 12h, 2027-01-31 or 2027-01-31T08:00.`)
  return Math.floor(moment / 1000)
}

function anchorOf(text: string): AuditAnchor {
  const [, node, number, mac] = /^(.+):(\d{1,15}):([A-Za-z0-9_-]{43})$/.exec(text) ?? []
  if (node === undefined || mac === undefined)
    throw new Failure(
      2,
      `--expect: "${text}" is no anchor. Write node:number:mac, as \`holdfast audit verify\` prints it.`,
    )
  return { node, number: Number(number), mac }
}

function placeOf(text: string): readonly [node: string, number: number] {
  const [, node, number] = /^(.+):(\d{1,15})$/.exec(text) ?? []
  if (node === undefined) throw new Failure(2, `--after: "${text}" is no place. Write node:number.`)
  return [node, Number(number)]
}

/** The time as other programs read it. */
function dated({ time, node, number, event, mac, ...entry }: ShownAudit): object {
  return { time: iso(time), node, number, event, ...entry, mac }
}

function iso(time: Seconds): string {
  const date = new Date(time * 1000)
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString()
}

const suspicious: ReadonlySet<string> = new Set<AuditEvent>(['attack_suspected', 'sign_in_failed'])

function renderEntries(entries: readonly ShownAudit[], { columns, style }: Terminal): string {
  const isOne = new Set(entries.map(({ node }) => node)).size === 1
  const rows = entries.map(({ time, node, event, actor, number: _, mac: __, ...about }) => [
    localTime(time),
    ...(isOne ? [] : [plain(node)]),
    suspicious.has(event) ? style.bad(event) : plain(event),
    actor === undefined ? '' : plain(textOf(actor)),
    plain(renderAbout(about)),
  ])
  const head = ['when', ...(isOne ? [] : ['node']), 'event', 'who', 'about'].map(style.dim)
  return renderTable([head, ...rows], columns)
}

/** On one line: what somebody sent must not look like an entry of its own. */
function plain(text: string): string {
  return harmless(text).replace(/\s/g, ' ')
}

/** Whoever can write in the database can put anything there: it is shown, whatever it is. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `client shop, address 192.0.2.1, scope api1` */
function renderAbout({ details, ...members }: Readonly<Record<string, unknown>>): string {
  return [...Object.entries(members), ...Object.entries(details ?? {})]
    .map(([name, value]) => `${name} ${value === '' ? 'taken away' : textOf(value)}`)
    .join(', ')
}

function localTime(time: Seconds): string {
  const date = new Date(time * 1000)
  const two = (number: number) => String(number).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

function renderChains(chains: readonly AuditChain[], { columns, style }: Terminal): string {
  if (chains.length === 0) return 'Nothing was recorded yet.'
  const count = chains.reduce((sum, { number }) => sum + number, 0)
  const first = Math.min(...chains.map((each) => each.first ?? Infinity))
  const last = Math.max(...chains.map((each) => each.last ?? 0))
  const nodes = chains.length === 1 ? '1 node' : `${chains.length} nodes`
  const entries = count === 1 ? '1 entry' : `${count} entries`
  const rows = chains.map(({ node, number, mac }) => [`${node}:${number}:${mac}`])
  return [
    `${nodes}, ${entries}, ${localTime(first)} to ${localTime(last)}: ${style.good('each is as it was recorded, and none is missing.')}`,
    '',
    style.dim('Keep elsewhere, for --expect:'),
    renderTable(rows, columns),
  ].join('\n')
}

/** The node is as somebody may have written it who wants the fault to look like something else. */
function sentenceOf({ node: written, number, problem }: AuditFault): string {
  const node = plain(written)
  switch (problem) {
    case 'missing':
      return `${node}: entry ${number} is missing.`
    case 'altered':
      return `${node}: entry ${number} is not the one that was recorded.`
    case 'end':
      return `${node}: the log does not end as the server left it. Entries after ${number} may have been taken away.`
    case 'beyond':
      return `${node}: entry ${number} lies behind the end of the log.`
    case 'anchor':
      return `${node}: entry ${number} is not there as you noted it: the log was put back, removed, or written anew.`
  }
}
