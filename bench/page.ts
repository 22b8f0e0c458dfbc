import { readFileSync, writeFileSync } from 'node:fs'
import { conclusions, percent, type Report, type Result, times } from './report.ts'

const page = new URL('../docs/performance.md', import.meta.url)

/** Puts what was measured into the page on performance, each at its place; what was not measured stays as it is there. */
export function writePage({ node, processor, results }: Report): void {
  const date = new Date().toISOString().slice(0, 10)
  const texts = {
    machine: `Measured with Node ${node.slice(1)}, ${processor}, ${date}.`,
    ...Object.fromEntries(Object.entries(results).map(([name, result]) => [name, renderMarkdown(result)])),
  }
  let text = readFileSync(page, 'utf8')
  for (const [name, measured] of Object.entries(texts)) text = replace(text, name, measured)
  writeFileSync(page, text)
}

/** Everything between the two marks of a result. */
function replace(text: string, name: string, measured: string): string {
  const [begin, end] = [`<!-- measured: ${name} -->\n`, '\n<!-- until here -->']
  const from = text.indexOf(begin)
  const until = text.indexOf(end, from)
  if (from < 0 || until < 0)
    throw new Error(`docs/performance.md has no place for ${name}: write ${begin}${end.trim()}`)
  return `${text.slice(0, from + begin.length)}${measured}${text.slice(until)}`
}

function renderMarkdown(result: Result): string {
  const { title, note, rows } = result
  return [
    `## ${title}`,
    '',
    ...(note === undefined ? [] : [note, '']),
    ...(rows ? [...table(rows), '', 'Medians; in brackets the lowest and highest round.', ''] : []),
    ...conclusions(result).map((line) => `* ${line}`),
  ].join('\n')
}

function table(rows: NonNullable<Result['rows']>): string[] {
  const [first] = Object.keys(rows)
  return [
    "| | requests/s | server CPU, us/request | generator busy | server busy | the first one's rate over it | its CPU over the first one's |",
    '|---|---|---|---|---|---|---|',
    ...Object.entries(rows).map(([who, { perSecond, cpu, busy, serverBusy, rateRatio, cpuRatio }]) => {
      const ratios = who === first ? [' ', ' '] : [times(rateRatio), times(cpuRatio)]
      return `| ${[who, perSecond.toFixed(0), cpu.toFixed(1), percent(busy), percent(serverBusy), ...ratios].join(' | ')} |`
    }),
  ]
}
