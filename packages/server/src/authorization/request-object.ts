import {
  algorithmOf,
  isJsonObject,
  isSignedBy,
  type JsonObject,
  type Parameters,
  parseJwt,
  parseParameters,
  Refused,
  signatureAlgorithms,
  type UnverifiedJwt,
} from '@holdfast/pop'
import { findClientKey } from '../client-authentication/client-key.ts'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'

/** A request object lives at most so long, and was made at most so long ago, in seconds. */
const longestLife = 3600
/** A client's clock may run this far ahead, in seconds. */
const toleratedAhead = 10

/** The algorithms that clients can sign requests with. */
export const requestObjectAlgorithms = signatureAlgorithms

/** What a JWT says of itself; everything else is a parameter. RFC 9101 §4. */
const ofTheJwt = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sub'])

/**
 * Opens a signed request object: its claims are the parameters, and those beside it count no more. RFC 9101 §5, §6.
 * @returns the parameters as they are where there is no request object
 * @throws {@link Refused} the `request_object_` reasons, `dpop_jkt_differs`
 */
export async function openRequestObject(parameters: Parameters, client: Client, context: Context): Promise<Parameters> {
  const text = parameters.one('request')
  if (text !== undefined && parameters.one('request_uri') !== undefined) throw new Refused('request_doubled')
  if (text === undefined) return parameters
  const jwt = parseJwt(text)
  if (!jwt) throw new Refused('request_object_malformed')
  requireType(jwt, client)
  await requireSignature(jwt, client, context)
  requireClaims(jwt, client, context)
  const inside = parseParameters(Object.entries(jwt.claims).flatMap(parameterOf))
  const thumbprint = parameters.one('dpop_jkt')
  if (thumbprint !== undefined && thumbprint !== inside.one('dpop_jkt')) throw new Refused('dpop_jkt_differs')
  return inside
}

/** A client that must sign its requests has. RFC 9101 §10.5. @throws {@link Refused} `request_object_required` */
export function requireSigned(parameters: Parameters, { require_signed_request_object }: Client): void {
  if (require_signed_request_object && parameters.one('request') === undefined)
    throw new Refused('request_object_required')
}

/** Without a `typ` the object must not pass for a client assertion, whose `sub` is the client. RFC 9101 §10.8. */
function requireType({ header: { typ }, claims: { sub } }: UnverifiedJwt, { client_id }: Client): void {
  if (typ !== undefined && typ !== 'oauth-authz-req+jwt') throw new Refused('request_object_type')
  if (typ === undefined && sub === client_id) throw new Refused('request_object_type')
}

async function requireSignature(jwt: UnverifiedJwt, client: Client, context: Context): Promise<void> {
  const algorithm = algorithmOf(jwt)
  const registered = client.request_object_signing_alg
  if (!algorithm || (registered !== undefined && registered !== algorithm))
    throw new Refused('request_object_algorithm')
  const key = await findClientKey(jwt, algorithm, client, context)
  if (!key) throw new Refused('request_object_key')
  if (!(await isSignedBy(jwt, key, context.primitives))) throw new Refused('request_object_signature')
}

function requireClaims({ claims }: UnverifiedJwt, { client_id }: Client, { settings, now }: Context): void {
  const { iss, aud, exp, nbf, client_id: inside } = claims
  if (iss !== client_id) throw new Refused('request_object_issuer')
  if (aud !== settings.issuer && !(Array.isArray(aud) && aud.includes(settings.issuer)))
    throw new Refused('request_object_audience')
  const moment = now()
  if (typeof exp !== 'number' || exp <= moment || exp > moment + longestLife) throw new Refused('request_object_time')
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= moment + toleratedAhead && nbf >= moment - longestLife))
    throw new Refused('request_object_time')
  if (inside !== client_id) throw new Refused('request_object_client')
  if ('request' in claims || 'request_uri' in claims) throw new Refused('request_object_nested')
}

/** Numbers and objects stand in a JWT as themselves, in a form as text. RFC 9101 §4, RFC 9396 §4. */
function parameterOf([name, value]: [string, JsonObject[string]]): [string, string][] {
  if (ofTheJwt.has(name)) return []
  if (typeof value === 'string') return [[name, value]]
  if (name === 'resource' && Array.isArray(value)) return value.flatMap((each) => parameterOf([name, each]))
  if (typeof value === 'number') return [[name, String(value)]]
  if (isJsonObject(value) || Array.isArray(value)) return [[name, JSON.stringify(value)]]
  throw new Refused('request_object_parameter')
}
