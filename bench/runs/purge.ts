import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { type Bench, requireAllServed, stop, type Target, tell } from '../bench.ts'
import type { Load, Measured } from '../load.ts'
import type { Result } from '../report.ts'
import { type Question, referenceClient, type Usage } from '../target.ts'
import { asking } from './issuance.ts'

/** What a server occupies, in MB. */
interface Size {
  readonly file: number
  readonly memory: number
}

/** Tokens are deleted a while after their end, by a server that looks once a minute. */
const [lifetimeAndMore, patience] = [10_000, 300]

/** What is left of 200,000 reference tokens once they have expired, against what 20,000 left. */
export async function purge(bench: Bench): Promise<Result> {
  const directory = bench.createFolder('purge')
  const target = await bench.target('issuer-holdfast', { directory, flags: ['--max-semi-space-size=4'] })
  const ask = async (amount: number): Promise<void> => {
    tell(`purge: ${amount} tokens`)
    const { load } = asking(target, referenceClient)
    requireAllServed('purge', await bench.load.ask<Measured>({ ...load, seconds: 0, amount } satisfies Load))
  }
  const live = async (amount: number): Promise<{ readonly full: Size; readonly left: Size }> => {
    await ask(amount)
    const full = await sizeOf(target, directory)
    await target.child.ask<Usage>({ advance: lifetimeAndMore } satisfies Question)
    await untilGone(directory)
    // What goes on writes the emptied pages out of the log.
    await ask(3200)
    return { full, left: await sizeOf(target, directory) }
  }
  const first = await live(20_000)
  const second = await live(200_000)
  await stop(target)
  return {
    title: 'What is left of 200,000 reference tokens when they have expired',
    facts: [
      told('after 20,000 tokens', first.full),
      told('when they were gone', first.left),
      told('after 200,000 more', second.full),
      told('when they were gone', second.left),
    ],
    goals: [
      { reached: second.left.file / first.left.file, of: 'times the file of before', atMost: 1.2 },
      { reached: second.left.memory / first.left.memory, of: 'times the memory of before', atMost: 1.2 },
    ],
  }
}

async function sizeOf(target: Target, directory: string): Promise<Size> {
  const { memory } = await target.usage()
  return { file: statSync(join(directory, 'holdfast.db')).size / 1e6, memory: memory / 1e6 }
}

async function untilGone(directory: string): Promise<void> {
  const database = new DatabaseSync(join(directory, 'holdfast.db'), { readOnly: true })
  try {
    const count = database.prepare('select count(*) as count from reference_token')
    for (let seconds = 0; Number(count.get()?.count) > 0; seconds++) {
      if (seconds > patience) throw new Error(`expired tokens are still there after ${patience} seconds`)
      await setTimeout(1000)
    }
  } finally {
    database.close()
  }
  // for the next look, which gives back the pages that are left
  await setTimeout(65_000)
}

function told(when: string, { file, memory }: Size): string {
  return `${when}: database ${file.toFixed(1)} MB, ${memory.toFixed(0)} MB resident`
}
