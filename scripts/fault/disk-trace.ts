import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/** What a process has done to the files of a folder, in order, and what it has printed meanwhile. */
export type DiskEvent =
  | { readonly does: 'create'; readonly name: string }
  | { readonly does: 'remove'; readonly name: string }
  | { readonly does: 'synchronise'; readonly name: string }
  | { readonly does: 'write'; readonly name: string; readonly at: number; readonly data: Buffer }
  | { readonly does: 'truncate'; readonly name: string; readonly length: number }
  | { readonly does: 'rename'; readonly name: string; readonly to: string }
  | { readonly does: 'synchronise-folder' }
  | { readonly does: 'print'; readonly text: string }

/** How strace is asked for what {@link readTrace} reads: whole texts and data, in hexadecimal, with the paths of files. */
export const tracing = [
  ...['strace', '-f', '-qq', '-y', '-xx', '-s', '100000', '-e', 'signal=none'],
  ...['-e', 'trace=openat,pwrite64,write,ftruncate,rename,unlink,fsync,fdatasync'],
]

/** Reads a trace as far as it is about a folder. */
export function readTrace(trace: string, folder: string): readonly DiskEvent[] {
  const unfinished = new Map<string, string>()
  return readFileSync(trace, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, process = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
      if (resumed) return eventsOf(`${unfinished.get(process) ?? ''}${resumed[1]}`, folder, 'end')
      if (!rest.endsWith('<unfinished ...>')) return eventsOf(rest, folder, 'whole')
      const begun = rest.slice(0, -'<unfinished ...>'.length).trimEnd()
      unfinished.set(process, begun)
      return eventsOf(begun, folder, 'begin')
    })
}

/** What is written is so from the beginning of a call on, what is synchronised from its end on. */
function eventsOf(call: string, folder: string, part: 'begin' | 'end' | 'whole'): readonly DiskEvent[] {
  const name = /^\w+/.exec(call)?.[0] ?? ''
  const isEffectiveAtEnd = name === 'fsync' || name === 'fdatasync' || name === 'openat'
  if (part !== 'whole' && (part === 'end') !== isEffectiveAtEnd) return []
  if (/ = -1 /.test(call)) return []
  if (name === 'write') return printed(call)
  const texts = [...call.matchAll(/(?:"|<)((?:\\x[0-9a-f]{2})*)(?:"|>)/g)].map(([, text = '']) => bytesOf(text))
  const [path = ''] = name === 'openat' ? texts.filter((text) => text.toString().startsWith(folder)) : texts
  const file = path.toString()
  if (file === folder) return name.startsWith('f') ? [{ does: 'synchronise-folder' }] : []
  if (dirname(file) !== folder) return []
  return eventOf(name, call, { name: basename(file), texts })
}

function eventOf(
  call: string,
  text: string,
  { name, texts }: { readonly name: string; readonly texts: readonly Buffer[] },
): readonly DiskEvent[] {
  switch (call) {
    case 'openat':
      return text.includes('O_CREAT') ? [{ does: 'create', name }] : []
    case 'pwrite64':
      return [
        { does: 'write', name, at: Number(/, (\d+)\)?(?: = \d+)?$/.exec(text)?.[1]), data: texts[1] ?? Buffer.of() },
      ]
    case 'ftruncate':
      return [{ does: 'truncate', name, length: Number(/, (\d+)\)?(?: = 0)?$/.exec(text)?.[1]) }]
    case 'rename':
      return [{ does: 'rename', name, to: basename(String(texts[1])) }]
    case 'unlink':
      return [{ does: 'remove', name }]
    default:
      return [{ does: 'synchronise', name }]
  }
}

function printed(call: string): readonly DiskEvent[] {
  const [, text] = /^write\(1<[^>]*>, "((?:\\x[0-9a-f]{2})*)"/.exec(call) ?? []
  return text === undefined ? [] : [{ does: 'print', text: bytesOf(text).toString() }]
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
