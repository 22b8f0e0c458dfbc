import { type Bench, requireAllServed, stop, tell } from '../bench.ts'
import type { Load, Measured } from '../load.ts'
import type { Result } from '../report.ts'
import { client } from '../target.ts'
import { asking } from './issuance.ts'

/** Resident memory after 20 000 tokens and after 200 000. */
export async function memory(bench: Bench): Promise<Result> {
  const target = await bench.target('issuer-holdfast', { flags: ['--max-semi-space-size=4'] })
  const { load } = asking(target, client)
  const after = async (amount: number) => {
    tell(`memory: ${amount} tokens`)
    requireAllServed('memory', await bench.load.ask<Measured>({ ...load, seconds: 0, amount } satisfies Load))
    return (await target.usage()).memory / 1e6
  }
  const before = await after(20_000)
  const end = await after(180_000)
  await stop(target)
  return {
    title: 'Memory',
    facts: [
      `${before.toFixed(0)} MB resident after 20,000 tokens, ${end.toFixed(0)} MB after 200,000, with \`--max-semi-space-size=4\`.`,
    ],
    goals: [{ reached: Math.max(end - before, 0), of: 'MB more', atMost: 20 }],
  }
}
