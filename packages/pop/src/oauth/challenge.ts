import { type Reason, refusals } from './refusal.ts'
import type { TokenScheme } from './token-scheme.ts'

/** Renders one challenge of a `WWW-Authenticate` header: parameters quoted, undefined ones left out. RFC 9110 §11.6.1. */
export function renderChallenge(scheme: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const rendered = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}="${quotable(value ?? '')}"`)
  return rendered.length > 0 ? `${scheme} ${rendered.join(', ')}` : scheme
}

/** What the challenges of something that takes access tokens say of it. */
export interface ChallengingApi {
  /** The schemes that it takes. */
  readonly schemes: readonly TokenScheme[]
  /** The algorithms of proofs. */
  readonly algorithms: readonly string[]
  /** Parameters of all challenges: `realm`, `resource_metadata`. */
  readonly parameters: Readonly<Record<string, string | undefined>>
}

/**
 * Renders the challenges to a request that was refused for its token: one of the scheme that it used, since clients
 * retry on exactly one; one of each only where it used none, or sent a DPoP-bound token as Bearer. RFC 6750 §3, RFC 9449 §7.1, §7.2.
 * @param used the scheme of the request
 * @param scope what would be needed, where the scope of the token does not suffice
 */
export function renderTokenChallenges(
  reason: Reason,
  used: TokenScheme | undefined,
  { schemes, algorithms, parameters }: ChallengingApi,
  scope?: string,
): readonly string[] {
  const { error, says } = refusals[reason]
  const isAboutProof = error === 'use_dpop_nonce' || error === 'invalid_dpop_proof'
  const isOfEach = used === undefined || reason === 'token_is_dpop' || !schemes.includes(used)
  return schemes
    .filter((scheme) => (isAboutProof ? scheme === 'DPoP' : isOfEach || scheme === used))
    .map((scheme) => {
      const hasError = error !== 'token_missing' && (scheme === used || isAboutProof)
      return renderChallenge(scheme, {
        ...(hasError && { error, error_description: says }),
        ...(error === 'insufficient_scope' && { scope }),
        ...(scheme === 'DPoP' && { algs: algorithms.join(' ') }),
        ...parameters,
      })
    })
}

/** Keeps what may stand in a quoted string without an escape. */
function quotable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
