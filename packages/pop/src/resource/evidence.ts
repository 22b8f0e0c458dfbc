import type { Clock } from '../foundation/clock.ts'
import type { Inbound } from '../foundation/inbound.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { verifyCertificate } from '../proof/certificate.ts'
import type { Confirmation } from '../proof/confirmation.ts'
import { type VerifiedProof, verifyDpopProof } from '../proof/dpop.ts'
import { createDpopContext } from '../proof/dpop-context.ts'
import type { CertificatePossession, Possession } from '../proof/possession.ts'
import type { Policy } from './policy.ts'

/** The keys that a request has shown, and the proof among them, which is not used up yet. */
export interface Evidence {
  readonly possessions: readonly Possession[]
  readonly proof?: VerifiedProof
}

/** What judging evidence needs. */
interface EvidenceContext {
  readonly primitives: Pick<Primitives, 'verify' | 'readCertificate' | 'sha256' | 'hmac' | 'random'>
  readonly now: Clock
  /** Called when the certificate comes from a resumed session, which the policy takes. */
  readonly resumed: () => void
}

const none: Evidence = { possessions: [] }

/**
 * Creates what judges the evidence of a request. A proof or a certificate counts when the token is bound to one: any
 * other is not looked at. RFC 8705 §3, RFC 9449 §7.1.
 *
 * Its function refuses with `dpop_missing`, what {@link verifyDpopProof} and {@link verifyCertificate} refuse with, and
 * `session_resumed`.
 */
export function createProver(
  { dpop: policy, resumedSessions }: Pick<Policy, 'dpop' | 'resumedSessions'>,
  { primitives, now, resumed }: EvidenceContext,
): (confirmation: Confirmation | undefined, accessToken: string, inbound: Inbound) => Promise<Evidence> {
  const context = createDpopContext(policy.nonceKey ?? primitives.random(32), { now, primitives })

  async function findProof(accessToken: string, { method, url, headers }: Inbound): Promise<VerifiedProof> {
    const proofs = headers.dpop ?? []
    if (proofs.length === 0) throw new Refused('dpop_missing')
    return await verifyDpopProof(proofs, { method, url, accessToken }, policy, context)
  }

  function findCertificate({ certificate }: Inbound): CertificatePossession | undefined {
    if (!certificate) return undefined
    if (certificate.resumed && resumedSessions === 'refuse') throw new Refused('session_resumed')
    if (certificate.resumed) resumed()
    return verifyCertificate(certificate, now(), primitives)
  }

  return async (confirmation, accessToken, inbound) => {
    if (!confirmation) return none
    const proof = confirmation.jkt === undefined ? undefined : await findProof(accessToken, inbound)
    const certificate = confirmation['x5t#S256'] === undefined ? undefined : findCertificate(inbound)
    const possessions = [...(proof ? [proof.possession] : []), ...(certificate ? [certificate] : [])]
    return proof ? { possessions, proof } : { possessions }
  }
}
