import {
  isJsonObject,
  isMoment,
  type JsonObject,
  normalTargetUri,
  parseJwt,
  proofAhead,
  proofLifetime,
  type Seconds,
  tokenHash,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { renderDistance, renderMoment } from '../moment.ts'
import { failed, type ProofCheck, passed, shown } from './check.ts'

/** RFC 9449 §4.2, §11.1 */
export function identifierOf({ jti }: JsonObject): ProofCheck {
  const length = typeof jti === 'string' ? jti.length : 0
  if (length < 1 || length > 256)
    return failed('jti', 'dpop_claims_malformed', `${shown(jti)}, and must be 1 to 256 characters`)
  return passed('jti', `${shown(jti)}: a server takes it once`)
}

/** RFC 9449 §4.3 (8) */
export function methodOf({ htm }: JsonObject, method: string | undefined): ProofCheck {
  if (typeof htm !== 'string') return failed('htm', 'dpop_claims_malformed', `${shown(htm)}, and must be a method`)
  if (method === undefined) return { name: 'htm', says: `${shown(htm)}: compare it with --method` }
  if (htm === method) return passed('htm', `${shown(htm)}, as the request`)
  const hint = htm.toUpperCase() === method.toUpperCase() ? ': letters count as they are' : ''
  return failed('htm', 'dpop_method_differs', `${shown(htm)}, and the request is ${shown(method)}${hint}`)
}

/** RFC 9449 §4.3 (9) */
export function addressOf({ htu }: JsonObject, url: string | undefined): ProofCheck {
  if (typeof htu !== 'string') return failed('htu', 'dpop_claims_malformed', `${shown(htu)}, and must be an address`)
  const normal = normalTargetUri(htu)
  if (normal === undefined)
    return failed('htu', 'dpop_url_differs', `${shown(htu)}: no http or https address, so it is nobody's`)
  const extra = /[?#]/.test(htu) ? '; query and fragment do not count' : ''
  if (url === undefined) return { name: 'htu', says: `${shown(htu)}: compare it with --url${extra}` }
  const expected = normalTargetUri(url)
  if (normal === expected) return passed('htu', `${shown(htu)}, as the request${extra}`)
  return failed('htu', 'dpop_url_differs', `${shown(normal)}, and the request goes to ${shown(expected ?? url)}`)
}

/** RFC 9449 §4.3 (10) */
export function nonceOf({ nonce }: JsonObject): ProofCheck {
  if (nonce === undefined) return { name: 'nonce', says: 'none: right unless the server asks for one' }
  return { name: 'nonce', says: `${shown(nonce)}: only the server that made it can tell whether it still counts` }
}

/** RFC 9449 §4.3 (11) */
export function timeOf({ iat, exp, nbf }: JsonObject, now: Seconds): ProofCheck {
  const other = Object.entries({ exp: exp ?? now, nbf: nbf ?? now }).find(([, value]) => !isMoment(value))
  if (!isMoment(iat)) return failed('iat', 'dpop_claims_malformed', `${shown(iat)}, and must be a number of seconds`)
  if (other) return failed('iat', 'dpop_claims_malformed', `${other[0]} is ${shown(other[1])}, and must be a number`)
  const made = `made ${renderMoment(iat, now)}`
  if (isMoment(exp) && now >= exp)
    return failed('iat', 'dpop_stale', `${made}; exp ended it ${renderDistance(exp - now)}`)
  if (isMoment(nbf) && now < nbf - proofAhead)
    return failed('iat', 'dpop_early', `${made}; nbf begins ${renderDistance(nbf - now)}`)
  if (now - iat > proofLifetime)
    return failed('iat', 'dpop_stale', `${made}; without a nonce it passed for ${proofLifetime} s`)
  if (iat - now > proofAhead)
    return failed('iat', 'dpop_early', `${made}: a clock may run ${proofAhead} s ahead at most`)
  return passed('iat', `${made}; without a nonce it passes for ${Math.ceil(iat + proofLifetime - now)} s more`)
}

/** RFC 9449 §4.3 (12) */
export async function tokenHashOf({ ath }: JsonObject, token: string | undefined): Promise<ProofCheck> {
  if (token === undefined && ath === undefined)
    return { name: 'ath', says: 'none: for a token endpoint, not for an API' }
  if (token === undefined) return { name: 'ath', says: `${shown(ath)}: compare it with --token` }
  if (ath === undefined) return failed('ath', 'dpop_token_differs', 'none, and with a token there must be its hash')
  const expected = await tokenHash(token, nodePrimitives)
  if (ath === expected) return passed('ath', 'the hash of that token')
  return failed('ath', 'dpop_token_differs', `${shown(ath)}, and the hash of that token is ${expected}`)
}

/** Whether the token is bound to the key of the proof, as far as the token tells. RFC 9449 §6. */
export function bindingOf(token: string | undefined, thumbprint: string | undefined): readonly ProofCheck[] {
  if (token === undefined) return []
  const name = 'cnf.jkt'
  const jwt = parseJwt(token)
  if (!jwt) return [{ name, says: 'a reference token does not say: holdfast inspect --introspect asks its issuer' }]
  const cnf = isJsonObject(jwt.claims.cnf) ? jwt.claims.cnf : {}
  if (cnf.jkt === undefined) return [failed(name, 'token_is_not_dpop', 'none: the token is not bound to a DPoP key')]
  if (cnf.jkt === thumbprint) return [passed(name, 'that token is bound to the key of this proof')]
  return [failed(name, 'confirmation_proof_differs', `${shown(cnf.jkt)}: that token is bound to another key`)]
}
