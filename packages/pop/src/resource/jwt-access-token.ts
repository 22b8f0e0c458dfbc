import { createBoundedCache } from '../foundation/bounded-cache.ts'
import type { PublicJwk, SignatureAlgorithm } from '../foundation/jwk.ts'
import { algorithmOf, isSignedBy, parseJwt, type UnverifiedJwt } from '../foundation/jws.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { type AccessToken, parseAccessToken, type TokenReader } from './access-token.ts'
import type { IssuerKeys } from './issuer-keys.ts'

const remembered = 4096

/**
 * Creates a reader of JWT access tokens: type, algorithm, key, signature, claims. RFC 9068 §4.
 *
 * A token that was read before is not verified again as long as the issuer has the key that signed it.
 * `jku`, `jwk`, `x5u` and `x5c` in a header are not looked at. RFC 8725 §3.10.
 *
 * Its `read` refuses with `token_malformed`, `token_type_wrong`, `token_algorithm`, `token_key_unknown`, `keys_unavailable`,
 * `token_signature`, and what {@link parseAccessToken} refuses.
 */
export function createJwtReader(keys: IssuerKeys, primitives: Pick<Primitives, 'verify'>): TokenReader {
  const known = createBoundedCache<{ readonly token: AccessToken; readonly key: PublicJwk }>(remembered)
  async function verify(text: string): Promise<AccessToken> {
    const { jwt, algorithm } = parseJwtAccessToken(text)
    const key = await keys.find(jwt.header.kid, algorithm)
    if (!(await isSignedBy(jwt, key, primitives))) throw new Refused('token_signature')
    const token = parseAccessToken(jwt.claims, 'jwt')
    known.put(text, { token, key })
    return token
  }

  return {
    async read(text) {
      const before = known.find(text)
      return before && (await keys.has(before.key)) ? before.token : await verify(text)
    },
  }
}

function parseJwtAccessToken(text: string): { readonly jwt: UnverifiedJwt; readonly algorithm: SignatureAlgorithm } {
  const jwt = parseJwt(text)
  if (!jwt) throw new Refused('token_malformed')
  const { typ, alg } = jwt.header
  if (typ !== 'at+jwt' && typ !== 'application/at+jwt') {
    throw new Refused('token_type_wrong', { expected: 'at+jwt', seen: String(typ).slice(0, 40) })
  }
  const algorithm = algorithmOf(jwt)
  if (!algorithm) throw new Refused('token_algorithm', { seen: String(alg).slice(0, 40) })
  return { jwt, algorithm }
}
