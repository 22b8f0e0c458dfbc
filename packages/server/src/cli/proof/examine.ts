import {
  createDpopContext,
  jwkThumbprint,
  parsePublicJwk,
  proofAlgorithms,
  type Reason,
  Refused,
  type Seconds,
  type UnverifiedJwt,
  verifyDpopProof,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import type { ProofCheck } from './check.ts'
import { addressOf, bindingOf, identifierOf, methodOf, nonceOf, timeOf, tokenHashOf } from './claims.ts'
import { algorithmIn, keyOf, signatureOf, typeOf } from './header.ts'

/** A DPoP proof, and what the command line says of the request that it came with. */
export interface ExaminedProof {
  readonly text: string
  readonly jwt: UnverifiedJwt
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly token?: string | undefined
  readonly now: Seconds
}

/** All checks, and what a server would say that got the proof now, for the first time. */
export interface ProofFindings {
  readonly thumbprint?: string
  readonly checks: readonly ProofCheck[]
  /** Absent when the proof would pass. */
  readonly refused?: Reason
}

/** Says whether a JWT is a DPoP proof, or wants to be one. */
export function isProof({ header, claims }: UnverifiedJwt): boolean {
  return header.typ === 'dpop+jwt' || ('jwk' in header && 'htm' in claims && 'htu' in claims)
}

/** Checks a proof as RFC 9449 §4.3 says, and goes on after the first that fails. What the token demands comes last. */
export async function examineProof(proof: ExaminedProof): Promise<ProofFindings> {
  const jwk = parsePublicJwk(proof.jwt.header.jwk)
  const thumbprint = jwk && (await jwkThumbprint(jwk, nodePrimitives))
  const verdict = await judge(proof)
  const { header, claims } = proof.jwt
  const checks: readonly ProofCheck[] = [
    typeOf(header),
    algorithmIn(proof.jwt),
    keyOf(header, { jwk, thumbprint, verdict }),
    await signatureOf(proof.jwt, jwk),
    identifierOf(claims),
    methodOf(claims, proof.method),
    addressOf(claims, proof.url),
    nonceOf(claims),
    timeOf(claims, proof.now),
    await tokenHashOf(claims, proof.token),
    ...bindingOf(proof.token, thumbprint),
  ]
  const refused = verdict ?? checks.find(({ passed }) => passed === false)?.reason
  return { ...(thumbprint !== undefined && { thumbprint }), checks, ...(refused !== undefined && { refused }) }
}

/** The judge that servers use. What the command line does not say about the request is taken from the proof. */
async function judge({ text, jwt: { claims }, method, url, token, now }: ExaminedProof): Promise<Reason | undefined> {
  try {
    await verifyDpopProof(
      [text],
      { method: method ?? String(claims.htm), url: url ?? String(claims.htu), accessToken: token },
      { algorithms: proofAlgorithms, nonces: 'off' },
      createDpopContext(new Uint8Array(32), { now: () => now, primitives: nodePrimitives }),
    )
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}
