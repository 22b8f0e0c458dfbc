import { isJsonObject, parseJwt } from '@holdfast/pop'
import { presentMade, prove } from './dpop/proof.ts'
import { present } from './judge.ts'
import { type Attempt, type Loot, type Theft, worstOf } from './theft.ts'
import { thefts } from './thefts.ts'

/** What came of a theft: its worst attempt decides. */
export interface TheftResult {
  readonly name: string
  readonly against: Theft['against']
  readonly says: string
  /** `untried`: the thief lacks what it takes. */
  readonly outcome: Attempt['outcome'] | 'untried'
  readonly attempts: readonly Attempt[]
}

/** What came of all of them. */
export interface Heist {
  /** The owner's own request, where certificate and key, or the DPoP key, are known: unless it is answered, refusals show nothing. */
  readonly owner?: Attempt
  readonly thefts: readonly TheftResult[]
  /** Everything that was tried was refused, and the owner was not. */
  readonly safe: boolean
}

/** Tries every theft against an API that fits the token. */
export async function tryThefts(loot: Loot, observe: (result: TheftResult) => void = () => {}): Promise<Heist> {
  const owner = await presentAsOwner(loot)
  const bindings = bindingsOf(loot)
  const results: TheftResult[] = []
  for (const theft of thefts.filter(({ against }) => bindings.includes(against))) {
    const result = summed(theft, await theft.attempt(loot))
    observe(result)
    results.push(result)
  }
  const safe =
    (owner === undefined || owner.outcome === 'admitted') &&
    results.every(({ outcome }) => outcome === 'refused' || outcome === 'untried')
  return { ...(owner ? { owner } : {}), thefts: results, safe }
}

/** The owner's own request, where what it takes is known. */
async function presentAsOwner(loot: Loot): Promise<Attempt | undefined> {
  const { certificate, key, proofKey } = loot
  const pair = certificate !== undefined && key !== undefined ? { certificate, key } : undefined
  if (proofKey) return await presentMade(loot, async (nonce) => [await prove(loot, proofKey, { nonce })], pair)
  return pair && (await present(loot, pair))
}

/** How the token is bound: what it says of itself, or else what its owner keeps with it. Both where nobody knows. */
function bindingsOf({ token, certificate, proofKey }: Loot): readonly Theft['against'][] {
  const jwt = parseJwt(token)
  const cnf = isJsonObject(jwt?.claims.cnf) ? jwt.claims.cnf : {}
  const isBound = {
    certificate: jwt ? 'x5t#S256' in cnf : certificate !== undefined,
    dpop: jwt ? 'jkt' in cnf : proofKey !== undefined,
  }
  const both = ['certificate', 'dpop'] as const
  const known = both.filter((binding) => isBound[binding])
  return known.length > 0 ? known : both
}

function summed({ name, against, says }: Theft, attempts: readonly Attempt[]): TheftResult {
  return { name, against, says, outcome: worstOf(attempts)?.outcome ?? 'untried', attempts }
}
