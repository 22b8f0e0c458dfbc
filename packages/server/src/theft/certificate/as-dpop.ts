import { createProofKey } from '@holdfast/pop/client/node'
import { presentMade, prove } from '../dpop/proof.ts'
import type { Theft } from '../theft.ts'

/** The token by the other scheme, with a proof that is right in itself: whoever sees that may ask for no more. RFC 9449 §7.1. */
export const asDpop: Theft = {
  name: 'as DPoP',
  against: 'certificate',
  says: "as DPoP, with the thief's proof",
  async attempt(loot) {
    const thief = await createProofKey()
    return [await presentMade(loot, async (nonce) => [await prove(loot, thief, { nonce })])]
  },
}
