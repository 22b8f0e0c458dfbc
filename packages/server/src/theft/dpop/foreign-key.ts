import { createProofKey } from '@holdfast/pop/client/node'
import type { Theft } from '../theft.ts'
import { presentMade, prove } from './proof.ts'

/** A proof that is right in all but its key, and one that names the owner's key and is signed by another. RFC 9449 §4.3. */
export const foreignKey: Theft = {
  name: 'foreign key',
  against: 'dpop',
  says: "a proof by the thief's key",
  async attempt(loot) {
    const thief = await createProofKey()
    const own = await presentMade(loot, async (nonce) => [await prove(loot, thief, { nonce })])
    if (!loot.proofKey) return [own]
    const forged = { ...loot.proofKey, sign: thief.sign }
    const inTheirName = await presentMade(loot, async (nonce) => [await prove(loot, forged, { nonce })])
    return [
      { ...own, variant: 'their own' },
      { ...inTheirName, variant: "in the owner's name" },
    ]
  },
}
