import { algorithmOf, isSignedBy, parseJwt } from '../foundation/jws.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { type AccessToken, parseAccessToken } from './access-token.ts'
import { createBoundedCache } from './bounded-cache.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/** Reads tokens of one form. What it gives was vouched for by the issuer; issuer, audience and time are not judged. */
export interface TokenReader {
  read(text: string): Promise<AccessToken>
}

const remembered = 4096

/**
 * Creates a reader of JWT access tokens: type, algorithm, key, signature, claims. RFC 9068 §4.
 *
 * A token that was read before is not verified again while the issuer's keys stay the same.
 * `jku`, `jwk`, `x5u` and `x5c` in a header are not looked at. RFC 8725 §3.10.
 *
 * Its `read` refuses with `token_malformed`, `token_type_wrong`, `token_algorithm`, `token_key_unknown`, `keys_unavailable`,
 * `token_signature`, and what {@link parseAccessToken} refuses.
 */
export function createJwtReader(keys: IssuerKeys, primitives: Pick<Primitives, 'verify'>): TokenReader {
  const known = createBoundedCache<AccessToken>(remembered)
  let generation = keys.generation()
  return {
    async read(text) {
      if (generation !== keys.generation()) {
        generation = keys.generation()
        known.clear()
      }
      const before = known.find(text)
      if (before) return before
      const token = await verifyJwtAccessToken(text, keys, primitives)
      if (generation === keys.generation()) known.put(text, token)
      return token
    },
  }
}

async function verifyJwtAccessToken(
  text: string,
  keys: IssuerKeys,
  primitives: Pick<Primitives, 'verify'>,
): Promise<AccessToken> {
  const jwt = parseJwt(text)
  if (!jwt) throw new Refused('token_malformed')
  const { typ, kid } = jwt.header
  if (typ !== 'at+jwt' && typ !== 'application/at+jwt') {
    throw new Refused('token_type_wrong', { expected: 'at+jwt', seen: String(typ).slice(0, 40) })
  }
  const algorithm = algorithmOf(jwt)
  if (!algorithm) throw new Refused('token_algorithm', { seen: String(jwt.header.alg).slice(0, 40) })
  const key = await keys.find(kid, algorithm)
  if (!(await isSignedBy(jwt, key, primitives))) throw new Refused('token_signature')
  return parseAccessToken(jwt.claims, 'jwt')
}
