import type { ProofKey } from '@holdfast/pop'
import { type Attempt, type Loot, type Theft, worstOf } from '../theft.ts'
import { presentMade, presentProofs, prove } from './proof.ts'

/** A proof that was captured: after the owner has used it, and at the very same time. RFC 9449 §11.1. */
export const replayedProof: Theft = {
  name: 'replayed proof',
  against: 'dpop',
  says: 'a proof that was used',
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    let captured: string[] = []
    let newest: string | undefined
    const owner = await presentMade(loot, async (nonce) => {
      newest = nonce
      captured = [await prove(loot, proofKey, { nonce })]
      return captured
    })
    if (owner.outcome !== 'admitted')
      return [{ ...owner, outcome: 'unclear', answer: `the owner's own use: ${owner.answer}` }]
    return [
      { ...(await presentProofs(loot, captured)), variant: 'afterwards' },
      { ...(await race(loot, proofKey, owner.nonce ?? newest)), variant: 'at once' },
    ]
  },
}

const racers = 4

/** Several who use one proof at the same time: one of them may be the owner, the others are not. */
async function race(loot: Loot, owner: ProofKey, nonce: string | undefined): Promise<Attempt> {
  const captured = [await prove(loot, owner, { nonce })]
  const attempts = await Promise.all(Array.from({ length: racers }, () => presentProofs(loot, captured)))
  const [first, ...others] = attempts.filter(({ outcome }) => outcome === 'admitted')
  if (first && others.length > 0)
    return { ...first, answer: `one proof was taken ${others.length + 1} times out of ${racers}` }
  const declined = attempts.filter(({ outcome }) => outcome !== 'admitted')
  return worstOf(declined) ?? { outcome: 'unclear', answer: 'nothing was tried' }
}
