import type { Seconds } from '../foundation/clock.ts'
import { getJsonAnew } from '../foundation/get-json.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import { isKeyFor, type PublicJwk, parsePublicJwk, type SignatureAlgorithm } from '../foundation/jwk.ts'
import type { Awaitable } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import type { IssuerAccess } from './issuer-metadata.ts'

/** The keys with which the issuer signs. */
export interface IssuerKeys {
  /**
   * Finds the one key that a header names. Never tries several.
   * @throws Refused `token_key_unknown`, `keys_unavailable`
   */
  find(kid: unknown, algorithm: SignatureAlgorithm): Promise<PublicJwk>
  /** Says whether a key that was found before is still the issuer's. */
  has(key: PublicJwk): Awaitable<boolean>
}

/** A key and the words beside it that say when it may be used. RFC 7517 §4. */
interface NamedKey {
  readonly kid: string | undefined
  readonly alg: string | undefined
  readonly key: PublicJwk
}

/** How old keys get before they are asked for again, which also is how often a key that is not there is asked for. */
const fresh: Seconds = 30
const pause = fresh
/** How long the address of the keys is taken for right. */
const freshAddress: Seconds = 600
/** How long a request waits for an issuer that is slow, in milliseconds, before a key that is there serves it. */
const patience = 1000
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
 * Creates keys that are fetched from the `jwks_uri` of the issuer's metadata, at most once in 30 seconds, and shared by
 * all who wait. Keys of that age are asked for again before they serve, so that a key that the issuer has revoked is
 * worth nothing after 30 seconds; what did not change does not travel. Who asks waits a second at most, and nobody waits
 * for an issuer that was away the last time: known keys go on for a day without it.
 */
export function createFetchedKeys({ metadata, fetch, now, failed }: IssuerAccess): IssuerKeys {
  let keys: readonly NamedKey[] = []
  let fetched: Seconds = Number.NEGATIVE_INFINITY
  let attempted: Seconds = Number.NEGATIVE_INFINITY
  let broken = false
  let pending: Promise<void> | undefined
  let patient: Promise<void> | undefined
  let address: { readonly uri: string; readonly found: Seconds } | undefined
  let etag: string | undefined
  /** A clock that was put back makes things old, not young. */
  const since = (moment: Seconds): Seconds => Math.abs(now() - moment)

  async function load(): Promise<void> {
    try {
      address = await findAddress()
      const asked = now()
      const anew = await getJsonAnew(address.uri, etag, { fetch, limit: largest })
      if (anew) {
        const found = parseKeys(anew.json)
        if (found.length === 0) throw new Error('the JWK set of the issuer has no usable key')
        keys = found.map((each) => keys.find((known) => isSame(known, each)) ?? each)
        etag = anew.etag
      }
      fetched = asked
      broken = false
    } catch (cause) {
      broken = true
      address = undefined
      failed(cause)
    }
  }

  async function findAddress(): Promise<{ readonly uri: string; readonly found: Seconds }> {
    if (address && since(address.found) <= freshAddress) return address
    const { jwks_uri } = await metadata.load()
    if (jwks_uri === undefined) throw new Error('the metadata of the issuer has no jwks_uri')
    if (jwks_uri !== address?.uri) etag = undefined
    return { uri: jwks_uri, found: now() }
  }

  function refresh(): Promise<void> {
    if (pending !== undefined) return pending
    attempted = now()
    pending = load().finally(() => {
      pending = undefined
    })
    patient = Promise.race([pending, elapsed(patience)])
    return pending
  }

  /** @returns what to wait for, where it is worth it */
  function refreshWhenOld(): Promise<void> | undefined {
    if (since(fetched) < fresh) return undefined
    if (since(attempted) >= pause) void refresh()
    return broken || pending === undefined ? undefined : patient
  }

  return {
    async find(kid, algorithm) {
      if (since(fetched) > stalest) {
        if (pending || since(attempted) >= pauseWithoutKeys) await refresh()
        if (since(fetched) > stalest) throw new Refused('keys_unavailable', { retryAfter: pauseWithoutKeys })
      }
      await refreshWhenOld()
      const known = pick(keys, kid, algorithm)
      if (known) return known
      if (pending === undefined && since(attempted) >= pause) void refresh()
      // Nothing else can serve this one: it waits as long as the request for the keys may take.
      await pending
      const found = pick(keys, kid, algorithm)
      if (!found && broken) throw new Refused('keys_unavailable', { retryAfter: pause })
      return found ?? unknownKey(kid)
    },
    async has(key) {
      await refreshWhenOld()
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

/** Where the platform lets it, this holds no process back that wants to end. */
function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => AbortSignal.timeout(milliseconds).addEventListener('abort', () => resolve()))
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
