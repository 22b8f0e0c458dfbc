import type { Proven } from '../possession/prove.ts'
import { uncacheable } from './endpoint.ts'

/** The headers of an answer to a request that may have shown a key: the next nonce is in it. RFC 9449 §8.2. */
export function answering({ nextNonce }: Pick<Proven, 'nextNonce'>): Readonly<Record<string, string>> {
  return nextNonce === undefined ? uncacheable : { ...uncacheable, 'dpop-nonce': nextNonce }
}
