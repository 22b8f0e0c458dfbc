import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { refusals } from '@holdfast/pop'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { freePort, type Harness, startServer } from './harness.ts'
import { requirePrograms } from './requires.ts'

const root = new URL('../', import.meta.url).pathname
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

const alerts = parse(textOf('deploy/prometheus/alerts.yaml'))
const dashboard = JSON.parse(textOf('deploy/grafana/holdfast.json'))
const rules: readonly Rule[] = alerts.groups.flatMap((group: { readonly rules: readonly Rule[] }) => group.rules)
const alarms = rules.filter(({ alert }) => alert !== undefined)

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: { readonly severity: string }
  readonly annotations?: { readonly summary: string; readonly runbook: string }
}

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: readonly { readonly expr: string }[]
}

const expressions: readonly string[] = [
  ...rules.map(({ expr }) => expr),
  ...dashboard.panels.flatMap(({ targets = [] }: Panel) => targets.map(({ expr }) => expr)),
]

/** The series that an expression names, with the labels by which it chooses. */
function seriesIn(expression: string): readonly { readonly name: string; readonly labels: readonly string[] }[] {
  const found = expression.matchAll(/\b((?:holdfast|nodejs|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)
  return [...found].map(([, name = '', chosen = '']) => ({
    name,
    labels: [...chosen.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label),
  }))
}

describe('what the dashboard and the alarms name', () => {
  let server: Harness
  const labelsOf = new Map<string, Set<string>>()
  beforeAll(async () => {
    const port = await freePort()
    server = await startServer((settings) => ({ ...settings, operations: { port } }))
    await server.token()
    await server.token({ client_secret: 'wrong' })
    await failHandshake(server.mutualTlsPort)
    await vi.waitUntil(async () => (await scrape(port)).includes('handshake_failed'), { timeout: 5000 })
    for (const line of (await scrape(port)).split('\n')) {
      const [, name, labels = ''] = /^([a-z_0-9]+)(?:\{(.*)\})? /.exec(line) ?? []
      if (name === undefined) continue
      const known = labelsOf.get(name) ?? new Set(['job', 'instance'])
      for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
      labelsOf.set(name, known)
    }
  })
  afterAll(() => server?.close())

  it('is there, with these labels', () => {
    const series = expressions.flatMap(seriesIn)
    expect(series.length).toBeGreaterThan(40)
    const missing = series.filter(
      ({ name, labels }) => !labels.every((label) => labelsOf.get(name)?.has(label) ?? false) || !labelsOf.has(name),
    )
    expect(missing).toEqual([])
  })

  it('is shown by labels that there are', () => {
    for (const { targets = [] } of dashboard.panels as readonly Panel[])
      for (const { expr } of targets) {
        const [, by = ''] = /\bby \(([^)]*)\)/.exec(expr) ?? []
        const [first] = seriesIn(expr)
        const known = labelsOf.get(first?.name ?? '') ?? new Set()
        expect(by.split(/,\s*/).filter((label) => label !== '' && !known.has(label))).toEqual([])
      }
  })

  it('calls refusals by their reasons', () => {
    for (const { expr } of alarms)
      for (const [, pattern = ''] of expr.matchAll(/reason=~?"([^"]+)"/g))
        for (const reason of alternatives(pattern)) expect(Object.keys(refusals)).toContain(reason)
  })

  it('calls events as the server reports them', () => {
    const source = readdirSync(join(root, 'packages/server/src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
      .map((path) => textOf(join('packages/server/src', path)))
      .join('\n')
    for (const { expr } of alarms)
      for (const [, pattern = ''] of expr.matchAll(/event=~?"([^"]+)"/g))
        for (const event of pattern.split('|'))
          expect(source).toMatch(new RegExp(`['"]${event.replace('.*', '[a-z_]+')}['"]`))
  })
})

describe('the alarms', () => {
  it('each have a severity, a sentence, and a paragraph that says what to do', () => {
    const guide = textOf('docs/guides/deploy.md')
    expect(alarms.length).toBeGreaterThan(15)
    for (const { alert = '', labels, annotations } of alarms) {
      expect(['critical', 'warning', 'info']).toContain(labels?.severity)
      expect(annotations?.summary).toBeTruthy()
      const [page, anchor] = annotations?.runbook.split('#') ?? []
      expect([alert, page]).toEqual([alert, 'docs/guides/deploy.md'])
      expect(guide.toLowerCase()).toContain(`\n### ${anchor}\n`)
    }
  })

  it('have a name each', () => {
    const names = alarms.map(({ alert }) => alert)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('the dashboard', () => {
  it('has a row for each part', () => {
    const rows = (dashboard.panels as readonly Panel[]).filter(({ type }) => type === 'row').map(({ title }) => title)
    expect(rows).toEqual([
      ...['Traffic', 'Refusals', 'Tokens by binding', 'Latency', 'Store', 'Event loop and process'],
      ...['Certificates', 'Events'],
    ])
  })
})

requirePrograms('promtool')('promtool', () => {
  const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: root, encoding: 'utf8' })

  it('reads the rules and the configuration', () => {
    expect(promtool('check', 'rules', 'deploy/prometheus/alerts.yaml')).toContain('SUCCESS')
    expect(promtool('check', 'config', 'deploy/prometheus/prometheus.yaml')).toContain('SUCCESS')
  })

  it('sees alarms when something happens for the first time, and none before', () => {
    expect(promtool('test', 'rules', 'deploy/prometheus/alerts.test.yaml')).toContain('SUCCESS')
  })
})

/** `client_secret_wrong|(client|person)_attempts_exhausted`, and no more than that. */
function alternatives(pattern: string): readonly string[] {
  const [, before = '', group = '', after = ''] = /^(.*)\(([^)]*)\)(.*)$/.exec(pattern) ?? []
  const whole = group === '' ? pattern : before.replace(/\|$/, '')
  return [...whole.split('|'), ...(group === '' ? [] : group.split('|').map((each) => `${each}${after}`))]
}

function failHandshake(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'ALL' })
    socket.once('error', () => resolve())
    socket.once('secureConnect', () => socket.end(() => resolve()))
  })
}

function scrape(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more
      })
      response.on('end', () => resolve(text))
    }).on('error', reject)
  })
}
