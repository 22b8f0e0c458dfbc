import type { Seconds } from '@holdfast/pop'
import type { Theft } from '../theft.ts'
import { presentProofs, prove } from './proof.ts'

/** Longer than any clock is off. */
const away: Seconds = 600

/** A proof that the owner made and never sent: some time ago, and ahead of time. RFC 9449 §4.3 (11), §11.2. */
export const staleProof: Theft = {
  name: 'stale proof',
  against: 'dpop',
  says: 'a proof of another time',
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    // No second try with a nonce: with a new one the proof would be new.
    const captured = async (age: Seconds) => presentProofs(loot, [await prove(loot, proofKey, { age })])
    return [
      { ...(await captured(away)), variant: 'ten minutes old' },
      { ...(await captured(-away)), variant: 'ten minutes ahead' },
    ]
  },
}
