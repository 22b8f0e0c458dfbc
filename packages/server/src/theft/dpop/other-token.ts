import type { Theft } from '../theft.ts'
import { presentMade, prove } from './proof.ts'

/** A proof that the owner made with another token, or with none, as for the token endpoint. RFC 9449 §4.3 (12). */
export const otherToken: Theft = {
  name: 'other token',
  against: 'dpop',
  says: 'a proof for another token',
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    const captured = (accessToken: string | undefined) =>
      presentMade(loot, async (nonce) => [await prove(loot, proofKey, { accessToken, nonce })])
    return [
      { ...(await captured('another-token')), variant: 'another ath' },
      { ...(await captured(undefined)), variant: 'no ath' },
    ]
  },
}
