import {
  isJsonObject,
  isKeyFor,
  type PublicJwk,
  parsePublicJwk,
  type SignatureAlgorithm,
  type UnverifiedJwt,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'

/**
 * Finds the one registered key that fits a JWT of the client's: by `kid` when there is one, by kind otherwise. The
 * header brings no key of its own.
 * @returns undefined when none fits, or several do
 */
export async function findClientKey(
  { header: { kid } }: UnverifiedJwt,
  algorithm: SignatureAlgorithm,
  client: Client,
  context: Context,
): Promise<PublicJwk | undefined> {
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) return undefined
  for (const fresh of [false, true]) {
    const suitable = (await keysOf(client, context, fresh)).filter(
      ({ key, kid: name, alg = algorithm }) =>
        isKeyFor(algorithm, key) && alg === algorithm && (kid === undefined || name === kid),
    )
    const [only] = suitable
    if (only && suitable.length === 1) return only.key
    if (!client.jwks_uri) break
  }
  return undefined
}

interface RegisteredKey {
  readonly kid: unknown
  /** The one algorithm that the client uses it with, where its JWK says so. RFC 7517 §4.4, RFC 8725 §3.1. */
  readonly alg: unknown
  readonly key: PublicJwk
}

const parsedByKeys = new WeakMap<object, readonly RegisteredKey[]>()

async function keysOf(
  { jwks, jwks_uri }: Client,
  { fetchKeys }: Context,
  fresh: boolean,
): Promise<readonly RegisteredKey[]> {
  const keys: { readonly keys?: unknown } = jwks ?? (jwks_uri === undefined ? {} : await fetchKeys(jwks_uri, { fresh }))
  const known = parsedByKeys.get(keys)
  if (known) return known
  const parsed = (Array.isArray(keys.keys) ? keys.keys : []).slice(0, 20).flatMap((jwk: unknown) => {
    const key = parsePublicJwk(jwk)
    return key && isJsonObject(jwk) ? [{ kid: jwk.kid, alg: jwk.alg, key }] : []
  })
  parsedByKeys.set(keys, parsed)
  return parsed
}
