import { stripVTControlCharacters, styleText } from 'node:util'

/** Where a command writes: results on standard output, everything else on standard error. */
export interface Terminal {
  readonly columns: number
  out(text: string): void
  note(text: string): void
  /** Standard input to its end, as text. */
  input(): Promise<string>
  readonly style: Styles
}

/** Colours, which are none when nobody looks: not a terminal, or NO_COLOR. */
export type Styles = Readonly<Record<'good' | 'bad' | 'dim' | 'strong', (text: string) => string>>

/** The terminal of this process. */
export function processTerminal(): Terminal {
  process.stdout.on('error', leaveWithReader)
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    styleText(format, text, { stream: process.stdout })
  return {
    columns: Math.max(process.stdout.columns || Number(process.env.COLUMNS) || 80, 40),
    out: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${process.stderr.isTTY ? text : stripVTControlCharacters(text)}\n`),
    input: readInput,
    style: { good: paint('green'), bad: paint('red'), dim: paint('dim'), strong: paint('bold') },
  }
}

/** Lays rows out in columns. The last column wraps at the terminal's edge, the others do not. */
export function renderTable(rows: readonly (readonly string[])[], columns: number, indent = ''): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, widthOf(cell))),
    [],
  )
  const lead = indent.length + widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  return rows
    .map((row) => {
      const first = row
        .slice(0, -1)
        .map((cell, index) => pad(cell, widths[index] ?? 0))
        .join('  ')
      const last = wrap(row.at(-1) ?? '', Math.max(columns - lead, 24)).join(`\n${' '.repeat(lead)}`)
      return `${indent}${first}${row.length > 1 ? '  ' : ''}${last}`.trimEnd()
    })
    .join('\n')
}

/** Breaks a text at spaces so that no line is wider than `width`, unless a word is. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Removes what could move the cursor or change colours: text that a server sent is not for the terminal to obey. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    character === '\n' || character === '\t' ? character : '\uFFFD',
  )
}

/** Whoever read has gone, such as `head`: nothing more is wanted. */
function leaveWithReader(error: Error): void {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

async function readInput(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  return text
}
