import type { Chance } from './chance.ts'
import type { DiskEvent } from './disk-trace.ts'

/** A disk that keeps what was synchronised; of all else, a power loss leaves what chance leaves. */
export interface Disk {
  happen(event: DiskEvent): void
  /** What may be found after a power loss now: files by name. */
  lose(chance: Chance): ReadonlyMap<string, Buffer>
}

type Change = Extract<DiskEvent, { does: 'write' | 'truncate' }>
type Naming = Extract<DiskEvent, { does: 'create' | 'remove' | 'rename' }>

interface Content {
  kept: Buffer
  changes: Change[]
}

/** The smallest part of a write that a disk does whole. */
const sector = 512

/**
 * Creates an empty disk. Writes that were not synchronised come through in any selection, whole or in parts of 512 bytes;
 * names of files in the order in which they were made, up to some point, and surely only after their folder was synchronised.
 */
export function createDisk(): Disk {
  const contents = new Map<string, Content>()
  let keptNames = new Map<string, Content>()
  let namings: (readonly [Naming, Content])[] = []

  function contentOf(name: string): Content {
    const content = contents.get(name) ?? { kept: Buffer.alloc(0), changes: [] }
    contents.set(name, content)
    return content
  }

  function happen(event: DiskEvent): void {
    switch (event.does) {
      case 'write':
      case 'truncate':
        contentOf(event.name).changes.push(event)
        return
      case 'synchronise': {
        const content = contentOf(event.name)
        content.kept = content.changes.reduce(apply, content.kept)
        content.changes = []
        return
      }
      case 'create':
        if (!contents.has(event.name)) namings.push([event, contentOf(event.name)])
        return
      case 'remove':
        namings.push([event, contentOf(event.name)])
        contents.delete(event.name)
        return
      case 'rename': {
        const content = contentOf(event.name)
        namings.push([event, content])
        contents.set(event.to, content)
        contents.delete(event.name)
        return
      }
      case 'synchronise-folder':
        keptNames = namings.reduce(nameOrUnname, new Map(keptNames))
        namings = []
        return
      case 'print':
    }
  }

  function lose(chance: Chance): ReadonlyMap<string, Buffer> {
    const names = namings.slice(0, chance.between(0, namings.length)).reduce(nameOrUnname, new Map(keptNames))
    // Nothing, everything, or something between: a cache that is written back has its moods.
    const share = [0, 1, chance.fraction()][chance.between(0, 2)] ?? 0
    return new Map(
      [...names].map(([name, { kept, changes }]) => {
        const through = changes.flatMap((change) => (chance.fraction() < share ? [torn(change, chance)] : []))
        return [name, through.reduce(apply, kept)]
      }),
    )
  }

  return { happen, lose }
}

function nameOrUnname(
  names: Map<string, Content>,
  [naming, content]: readonly [Naming, Content],
): Map<string, Content> {
  if (naming.does !== 'create') names.delete(naming.name)
  if (naming.does === 'create') names.set(naming.name, content)
  if (naming.does === 'rename') names.set(naming.to, content)
  return names
}

/** One write in eight comes through in part: up to some sector, or from one on. */
function torn(change: Change, chance: Chance): Change {
  if (change.does === 'truncate' || change.data.length <= sector || chance.between(1, 8) > 1) return change
  const cut = sector * chance.between(1, Math.ceil(change.data.length / sector) - 1)
  return chance.between(0, 1) === 0
    ? { ...change, data: change.data.subarray(0, cut) }
    : { ...change, at: change.at + cut, data: change.data.subarray(cut) }
}

/** Gives a new content, or the same one longer: what was kept stays as it was. */
function apply(content: Buffer, change: Change): Buffer {
  if (change.does === 'truncate') {
    const cut = Buffer.alloc(change.length)
    content.copy(cut)
    return cut
  }
  const written = Buffer.alloc(Math.max(content.length, change.at + change.data.length))
  content.copy(written)
  change.data.copy(written, change.at)
  return written
}
