import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { requirePrograms } from '../../conformance/requires.ts'
import { createChance } from './chance.ts'
import { createDisk } from './disk.ts'
import type { DiskEvent } from './disk-trace.ts'
import { cutPower } from './power-loss.ts'
import { mayTrace } from './system-calls.ts'

const made: readonly DiskEvent[] = [
  { does: 'create', name: 'a' },
  { does: 'write', name: 'a', at: 0, data: Buffer.alloc(1024, 1) },
]

/** All that a power loss can leave of some events: `-` where there is no file, else the bytes that it begins and ends with. */
function leftBy(events: readonly DiskEvent[]): readonly string[] {
  const disk = createDisk()
  for (const event of events) disk.happen(event)
  const left = Array.from({ length: 500 }, (_, seed) => disk.lose(createChance(seed)).get('a'))
  return [...new Set(left.map((file) => (file ? `${file.length}:${file[0]}${file.at(-1)}` : '-')))].sort()
}

describe('a disk that loses power', () => {
  it('may have nothing, everything, or parts of what was not synchronised', () => {
    expect(leftBy(made)).toEqual(['-', '0:undefinedundefined', '1024:01', '1024:11', '512:11'])
  })

  it('has the content of a file that was synchronised, if it has the file', () => {
    expect(leftBy([...made, { does: 'synchronise', name: 'a' }])).toEqual(['-', '1024:11'])
  })

  it('has the file when its folder was synchronised', () => {
    expect(leftBy([...made, { does: 'synchronise', name: 'a' }, { does: 'synchronise-folder' }])).toEqual(['1024:11'])
  })

  it('may have a file that was removed', () => {
    const whole: readonly DiskEvent[] = [...made, { does: 'synchronise', name: 'a' }, { does: 'synchronise-folder' }]
    expect(leftBy([...whole, { does: 'remove', name: 'a' }])).toEqual(['-', '1024:11'])
  })
})

requirePrograms('strace')('[F02] a database after a power loss', () => {
  it.skipIf(!mayTrace)('has everything that was acknowledged', { timeout: 120_000 }, async () => {
    const seed = process.pid
    const { injected, acknowledged, violations } = await cutPower(150, createChance(seed), { milliseconds: 400 })
    expect(violations, `seed ${seed}`).toEqual([])
    expect(injected).toBe(150)
    expect(acknowledged).toBeGreaterThan(100)
  })

  it.skipIf(!mayTrace)('lacks some of it where COMMIT did not wait for the disk', { timeout: 120_000 }, async () => {
    const recording = { milliseconds: 120, flaw: 'does not wait for the disk' } as const
    const { violations } = await cutPower(12, createChance(1), recording)
    expect(violations.join()).toMatch(/S1.*S3|S3.*S1/)
  })
})
