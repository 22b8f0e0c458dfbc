import { createProofKey } from '@holdfast/pop/client/node'
import { present } from '../judge.ts'
import type { Theft } from '../theft.ts'
import { prove } from './proof.ts'

/** The token as if it were bound to nothing: alone, and beside a proof that nobody might look at. RFC 9449 §7.2. */
export const asBearer: Theft = {
  name: 'as Bearer',
  against: 'dpop',
  says: 'the token as Bearer',
  async attempt(loot) {
    const dpop = await prove(loot, await createProofKey())
    return [
      { ...(await present(loot, {})), variant: 'alone' },
      { ...(await present(loot, {}, { dpop })), variant: "with the thief's proof" },
    ]
  },
}
