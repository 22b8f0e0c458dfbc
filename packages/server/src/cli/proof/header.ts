import {
  algorithmOf,
  isJsonObject,
  isKeyFor,
  isProofAlgorithm,
  isSignatureAlgorithm,
  isSignedBy,
  type JsonObject,
  type PublicJwk,
  type Reason,
  type UnverifiedJwt,
  usualProofAlgorithms,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { failed, type ProofCheck, passed, shown } from './check.ts'

/** RFC 9449 §4.3 (4) */
export function typeOf({ typ }: JsonObject): ProofCheck {
  if (typ === 'dpop+jwt') return passed('typ', 'dpop+jwt')
  return failed('typ', 'dpop_type', `${shown(typ)}, and must be dpop+jwt`)
}

/** RFC 9449 §4.3 (5) */
export function algorithmIn(jwt: UnverifiedJwt): ProofCheck {
  const { alg } = jwt.header
  if (!algorithmOf(jwt) && isSignatureAlgorithm(alg))
    return failed('alg', 'dpop_algorithm', `${alg}, beside something critical that nobody knows`)
  if (!isProofAlgorithm(alg)) return failed('alg', 'dpop_algorithm', `${shown(alg)}, which is never taken for proofs`)
  const isUsual = usualProofAlgorithms.some((each) => each === alg)
  return passed('alg', isUsual ? String(alg) : `${alg}, where the server's dpop.algorithms names it`)
}

/** The key of a proof, where it is one, and what servers say of the proof. */
export interface KeyFound {
  readonly jwk: PublicJwk | undefined
  readonly thumbprint: string | undefined
  readonly verdict: Reason | undefined
}

/** RFC 9449 §4.3 (7) */
export function keyOf({ jwk: written, alg }: JsonObject, { jwk, thumbprint, verdict }: KeyFound): ProofCheck {
  if (!isJsonObject(written)) return failed('jwk', 'dpop_claims_malformed', 'none, and the proof must bring its key')
  if (!jwk && verdict === 'dpop_key_private')
    return failed('jwk', 'dpop_key_private', 'the private key is in it: whoever saw this proof has it')
  if (!jwk) return failed('jwk', 'dpop_key', `${shown(written.kty)} key that is not whole, or of a kind nobody takes`)
  const kind = `${kindOf(jwk)}, thumbprint ${thumbprint}`
  const fits = isSignatureAlgorithm(alg) && isKeyFor(alg, jwk) && (!('alg' in written) || written.alg === alg)
  return fits ? passed('jwk', kind) : failed('jwk', 'dpop_key', `${kind}: no key for ${shown(alg)}`)
}

function kindOf(jwk: PublicJwk): string {
  if (jwk.kty === 'RSA') return `RSA ${Buffer.from(jwk.n, 'base64url').length * 8} bit`
  return jwk.kty === 'AKP' ? jwk.alg : jwk.crv
}

/** RFC 9449 §4.3 (6) */
export async function signatureOf(jwt: UnverifiedJwt, jwk: PublicJwk | undefined): Promise<ProofCheck> {
  if (!jwk) return { name: 'signature', says: 'not checked without a key' }
  if (await isSignedBy(jwt, jwk, nodePrimitives)) return passed('signature', 'made by that key')
  return failed('signature', 'dpop_signature', 'not made by that key over these claims')
}
