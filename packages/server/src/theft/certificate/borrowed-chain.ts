import { present } from '../judge.ts'
import type { Theft } from '../theft.ts'
import { namesake } from './same-name.ts'

/** The owner's certificate sent behind one whose key the thief has: only the first one's key is proven. */
export const borrowedChain: Theft = {
  name: 'borrowed chain',
  against: 'certificate',
  says: "a chain with the owner's in it",
  async attempt(loot) {
    if (loot.certificate === undefined) return []
    const { certificate, key } = await namesake(loot)
    return [await present(loot, { certificate: certificate + loot.certificate, key })]
  },
}
