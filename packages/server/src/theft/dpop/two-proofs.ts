import { createProofKey } from '@holdfast/pop/client/node'
import type { Theft } from '../theft.ts'
import { presentMade, prove } from './proof.ts'

/** The thief's own proof beside one of the owner's for another address, for APIs that look once at this and once at that. RFC 9449 §4.3 (1). */
export const twoProofs: Theft = {
  name: 'two proofs',
  against: 'dpop',
  says: "owner's and thief's proof",
  async attempt(loot) {
    const { proofKey } = loot
    if (!proofKey) return []
    const thief = await createProofKey()
    const present = (order: (owners: string, thiefs: string) => string[]) =>
      presentMade(loot, async (nonce) => {
        const elsewhere = `${loot.url.origin}${loot.url.pathname}/elsewhere`
        return order(await prove(loot, proofKey, { url: elsewhere, nonce }), await prove(loot, thief, { nonce }))
      })
    return [
      { ...(await present((owners, thiefs) => [owners, thiefs])), variant: "the owner's first" },
      { ...(await present((owners, thiefs) => [thiefs, owners])), variant: "the thief's first" },
      { ...(await present((owners, thiefs) => [`${owners}, ${thiefs}`])), variant: 'in one header' },
    ]
  },
}
