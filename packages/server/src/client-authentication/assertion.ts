import {
  algorithmOf,
  isMoment,
  isSignedBy,
  parseJwt,
  Refused,
  type SignatureAlgorithm,
  type UnverifiedJwt,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Use } from '../ports/store.ts'
import type { ClientAuthentication } from './client-authentication.ts'
import { findClientKey } from './client-key.ts'

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
    const key = await findClientKey(jwt, algorithm, client, context)
    if (!key) throw new Refused('assertion_key_unknown')
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
