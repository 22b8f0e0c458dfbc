import type { Theft } from '../theft.ts'
import { presentMade, prove } from './proof.ts'

/** A proof that the owner made for the same address and another method. RFC 9449 §4.3 (8). */
export const otherMethod: Theft = {
  name: 'other method',
  against: 'dpop',
  says: 'a proof for another method',
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    return [await presentMade(loot, async (nonce) => [await prove(loot, proofKey, { method: 'POST', nonce })])]
  },
}
