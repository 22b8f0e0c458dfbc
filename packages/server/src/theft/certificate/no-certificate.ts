import { present } from '../judge.ts'
import type { Theft } from '../theft.ts'

/** The token alone, as a leaked one is used. RFC 8705 §7.1. */
export const noCertificate: Theft = {
  name: 'no certificate',
  against: 'certificate',
  says: 'the token alone',
  async attempt(loot) {
    return [await present(loot, {})]
  },
}
