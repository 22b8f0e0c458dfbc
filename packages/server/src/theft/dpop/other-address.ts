import type { Theft } from '../theft.ts'
import { presentMade, prove } from './proof.ts'

/** A proof that the owner made for another place, such as an API that the thief runs. RFC 9449 §4.3 (9). */
export const otherAddress: Theft = {
  name: 'other address',
  against: 'dpop',
  says: 'a proof for another address',
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    const captured = (url: string) => presentMade(loot, async (nonce) => [await prove(loot, proofKey, { url, nonce })])
    return [
      { ...(await captured(`${loot.url.origin}${loot.url.pathname}/elsewhere`)), variant: 'path' },
      { ...(await captured(`https://thief.example${loot.url.pathname}`)), variant: 'host' },
    ]
  },
}
