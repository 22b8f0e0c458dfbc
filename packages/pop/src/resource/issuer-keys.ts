import type { Seconds } from '../foundation/clock.ts'
import { getJson } from '../foundation/get-json.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import { isKeyFor, type PublicJwk, parsePublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import { Refused } from '../oauth/refusal.ts'
import type { IssuerAccess } from './issuer-metadata.ts'

/** The keys with which the issuer signs. */
export interface IssuerKeys {
  /**
   * Finds the one key that a header names. Never tries several.
   * @throws Refused `token_key_unknown`, `keys_unavailable`
   */
  find(kid: unknown, algorithm: SignatureAlgorithm): Promise<PublicJwk>
  /** Says whether a key that was found before is still the issuer's. Asks anew in the background when it is time. */
  has(key: PublicJwk): boolean
}

/** A key and the words beside it that say when it may be used. RFC 7517 §4. */
interface NamedKey {
  readonly kid: string | undefined
  readonly alg: string | undefined
  readonly key: PublicJwk
}

const fresh: Seconds = 600
const pause: Seconds = 30
const pauseWithoutKeys: Seconds = 2
const stalest: Seconds = 86_400
const largest = 262_144

/** Creates keys that never change, from a JWK set that is known already. */
export function createFixedKeys(jwks: JsonObject): IssuerKeys {
  const keys = parseKeys(jwks)
  return {
    async find(kid, algorithm) {
      return pick(keys, kid, algorithm) ?? unknownKey(kid)
    },
    has: (key) => keys.some((each) => each.key === key),
  }
}

/**
 * Creates keys that are fetched from the `jwks_uri` of the issuer's metadata: shared by all who wait, again every ten
 * minutes in the background, and at most every 30 seconds because of a key that is not there. Known keys go on
 * for a day without the issuer.
 */
export function createFetchedKeys({ metadata, fetch, now, failed }: IssuerAccess): IssuerKeys {
  let keys: readonly NamedKey[] = []
  let fetched: Seconds = Number.NEGATIVE_INFINITY
  let attempted: Seconds = Number.NEGATIVE_INFINITY
  let broken = false
  let pending: Promise<void> | undefined
  /** A clock that was put back makes things old, not young. */
  const since = (moment: Seconds): Seconds => Math.abs(now() - moment)

  async function load(): Promise<void> {
    try {
      const { jwks_uri } = await metadata.load()
      if (jwks_uri === undefined) throw new Error('the metadata of the issuer has no jwks_uri')
      const jwks = await getJson(jwks_uri, { fetch, limit: largest })
      const found = parseKeys(jwks)
      if (found.length === 0) throw new Error('the JWK set of the issuer has no usable key')
      keys = found.map((each) => keys.find((known) => isSame(known, each)) ?? each)
      fetched = now()
      broken = false
    } catch (cause) {
      broken = true
      failed(cause)
    }
  }

  function refresh(): Promise<void> {
    attempted = now()
    pending ??= load().finally(() => {
      pending = undefined
    })
    return pending
  }

  function refreshWhenOld(): void {
    if (since(fetched) > fresh && since(attempted) >= pause) void refresh()
  }

  return {
    async find(kid, algorithm) {
      if (since(fetched) > stalest) {
        if (pending || since(attempted) >= pauseWithoutKeys) await refresh()
        if (since(fetched) > stalest) throw new Refused('keys_unavailable', { retryAfter: pauseWithoutKeys })
      }
      refreshWhenOld()
      const known = pick(keys, kid, algorithm)
      if (known) return known
      if (pending || since(attempted) >= pause) await refresh()
      const found = pick(keys, kid, algorithm)
      if (!found && broken) throw new Refused('keys_unavailable', { retryAfter: pause })
      return found ?? unknownKey(kid)
    },
    has(key) {
      refreshWhenOld()
      return since(fetched) <= stalest && keys.some((each) => each.key === key)
    },
  }
}

function parseKeys(jwks: JsonObject): readonly NamedKey[] {
  const list: readonly unknown[] = Array.isArray(jwks.keys) ? jwks.keys.slice(0, 100) : []
  return list.flatMap((item) => {
    const key = parsePublicJwk(item)
    if (!key || !isJsonObject(item)) return []
    const { kid, alg } = item
    return [{ key, kid: typeof kid === 'string' ? kid : undefined, alg: typeof alg === 'string' ? alg : undefined }]
  })
}

/** What stays the same keeps its identity, and with it the tokens that were verified. */
function isSame(one: NamedKey, other: NamedKey): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** The one key that fits. Two with the same name, or several for a token that names none, are as good as none. */
function pick(keys: readonly NamedKey[], kid: unknown, algorithm: SignatureAlgorithm): PublicJwk | undefined {
  const fitting = keys.filter(
    (each) =>
      (kid === undefined || each.kid === kid) &&
      (each.alg === undefined || each.alg === algorithm) &&
      isKeyFor(algorithm, each.key),
  )
  return fitting.length === 1 ? fitting[0]?.key : undefined
}

function unknownKey(kid: unknown): never {
  throw new Refused('token_key_unknown', { seen: typeof kid === 'string' ? kid.slice(0, 40) : typeof kid })
}
