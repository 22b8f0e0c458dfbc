import { present } from '../judge.ts'
import type { Theft } from '../theft.ts'

/** The token alone, as a leaked one is used, by its own scheme. RFC 9449 §7.1. */
export const noProof: Theft = {
  name: 'no proof',
  against: 'dpop',
  says: 'the token alone, as DPoP',
  async attempt(loot) {
    return [await present(loot, {}, { authorization: `DPoP ${loot.token}` })]
  },
}
