import { present } from './judge.ts'
import type { Attempt, Loot, Theft } from './theft.ts'
import { thefts } from './thefts.ts'

/** What came of a theft: its worst attempt decides. */
export interface TheftResult {
  readonly name: string
  readonly says: string
  /** `untried`: the thief lacks what it takes. */
  readonly outcome: Attempt['outcome'] | 'untried'
  readonly attempts: readonly Attempt[]
}

/** What came of all of them. */
export interface Heist {
  /** The owner's own request, where certificate and key are known: unless it is answered, refusals show nothing. */
  readonly owner?: Attempt
  readonly thefts: readonly TheftResult[]
  /** Everything that was tried was refused, and the owner was not. */
  readonly safe: boolean
}

/** Tries every theft against an API. */
export async function tryThefts(loot: Loot, observe: (result: TheftResult) => void = () => {}): Promise<Heist> {
  const { certificate, key } = loot
  const owner = certificate !== undefined && key !== undefined ? await present(loot, { certificate, key }) : undefined
  const results: TheftResult[] = []
  for (const theft of thefts) {
    const result = summed(theft, await theft.attempt(loot))
    observe(result)
    results.push(result)
  }
  const safe =
    (owner === undefined || owner.outcome === 'admitted') &&
    results.every(({ outcome }) => outcome === 'refused' || outcome === 'untried')
  return { ...(owner ? { owner } : {}), thefts: results, safe }
}

/** The attempt of a theft that went furthest. */
export function worstOf(attempts: readonly Attempt[]): Attempt | undefined {
  return (
    attempts.find(({ outcome }) => outcome === 'admitted') ??
    attempts.find(({ outcome }) => outcome === 'unclear') ??
    attempts[0]
  )
}

function summed({ name, says }: Theft, attempts: readonly Attempt[]): TheftResult {
  return { name, says, outcome: worstOf(attempts)?.outcome ?? 'untried', attempts }
}
