import {
  algorithmOf,
  isJsonObject,
  isKeyFor,
  isSignedBy,
  type PublicJwk,
  parseJwt,
  parsePublicJwk,
  Refused,
  type SignatureAlgorithm,
  type UnverifiedJwt,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Use } from '../ports/store.ts'
import type { ClientAuthentication } from './client-authentication.ts'

/** An assertion's `exp` lies at most this far ahead, in seconds. */
const longestLife = 300
/** A client's clock may run this far ahead, in seconds. */
const toleratedAhead = 10

/** `private_key_jwt`: a JWT that the client signed for this server. RFC 7523 §3, draft-ietf-oauth-rfc7523bis. */
export const byAssertion: ClientAuthentication = {
  methods: ['private_key_jwt'],
  takes: 'assertion',
  async verify({ client, credentials }, context) {
    const jwt = credentials.kind === 'assertion' ? parseJwt(credentials.assertion) : undefined
    if (!jwt) throw new Refused('assertion_malformed')
    const algorithm = requireAlgorithm(jwt, client)
    const key = await findKey(jwt, algorithm, client, context)
    if (!(await isSignedBy(jwt, key, context.primitives))) throw new Refused('assertion_signature')
    return [await requireClaims(jwt, client, context)]
  },
}

function requireAlgorithm(
  jwt: UnverifiedJwt,
  { token_endpoint_auth_signing_alg: registered }: Client,
): SignatureAlgorithm {
  const { typ } = jwt.header
  if (typ !== undefined && typ !== 'JWT' && typ !== 'client-authentication+jwt')
    throw new Refused('assertion_type_header')
  const algorithm = algorithmOf(jwt)
  if (!algorithm || (registered !== undefined && registered !== algorithm)) throw new Refused('assertion_algorithm')
  return algorithm
}

/** The one registered key that fits: by `kid` when there is one, by kind otherwise. The header brings no key of its own. */
async function findKey(
  { header: { kid } }: UnverifiedJwt,
  algorithm: SignatureAlgorithm,
  client: Client,
  context: Context,
): Promise<PublicJwk> {
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) throw new Refused('assertion_key_unknown')
  for (const fresh of [false, true]) {
    const suitable = (await keysOf(client, context, fresh)).filter(
      (each) => isKeyFor(algorithm, each.key) && (kid === undefined || each.kid === kid),
    )
    const [only] = suitable
    if (only && suitable.length === 1) return only.key
    if (!client.jwks_uri) break
  }
  throw new Refused('assertion_key_unknown')
}

/** RFC 7523 §3, in its order. */
async function requireClaims(
  { claims }: UnverifiedJwt,
  { client_id }: Client,
  { settings, now, primitives }: Context,
): Promise<Use> {
  const { iss, sub, aud, exp, nbf, iat, jti } = claims
  if (iss !== client_id || sub !== client_id) throw new Refused('assertion_issuer') // (1) (2)
  if (aud !== settings.issuer) throw new Refused('assertion_audience') // (3)
  const moment = now()
  if (!isMoment(exp) || exp <= moment || exp > moment + longestLife) throw new Refused('assertion_expiry') // (4)
  for (const start of [nbf, iat]) {
    if (start !== undefined && (!isMoment(start) || start > moment + toleratedAhead))
      throw new Refused('assertion_time') // (5) (6)
  }
  if (typeof jti !== 'string' || jti.length < 1 || jti.length > 256) throw new Refused('assertion_id') // (7)
  const key = await primitives.sha256(Buffer.from(JSON.stringify([client_id, jti])))
  return { kind: 'assertion', key: Buffer.from(key).toString('base64url'), expires: Math.ceil(exp) }
}

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

interface RegisteredKey {
  readonly kid: unknown
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
    return key && isJsonObject(jwk) ? [{ kid: jwk.kid, key }] : []
  })
  parsedByKeys.set(keys, parsed)
  return parsed
}
