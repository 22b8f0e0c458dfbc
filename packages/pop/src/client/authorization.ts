import type { Seconds } from '../foundation/clock.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { createIdTokens, type IdTokenClaims } from './authorization/id-token.ts'
import {
  type Authorization,
  type AuthorizationRequest,
  beginAuthorization,
  type PendingAuthorization,
} from './authorization/request.ts'
import { longestAuthorization, parseAuthorizationResponse } from './authorization/response.ts'
import { ClientError } from './client-error.ts'
import type { ClientContext } from './context.ts'
import type { Answer, Endpoints } from './endpoints.ts'
import type { Prover } from './prover.ts'

/** The authorization code flow of one client. RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1. */
export interface CodeFlow {
  readonly begin: (request: AuthorizationRequest) => Promise<Authorization>
  readonly redeem: (answer: URLSearchParams, pending: PendingAuthorization) => Promise<SignIn>
}

/** What a code was exchanged for. */
export interface SignIn {
  /** Of the token endpoint: its access token is not judged yet. */
  readonly answer: Answer
  /** There when an ID token was asked for, and verified. */
  readonly claims: IdTokenClaims | undefined
}

/** Who begins sign-ins, and where. */
export interface CodeFlowOptions {
  readonly client_id: string
  readonly endpoints: Endpoints
  /** Whose key the code is bound to, where it is one of proofs. */
  readonly prover?: Pick<Prover, 'thumbprint'> | undefined
  readonly timeout: Seconds
}

/** How many sign-ins that came to their end are remembered. */
const capacity = 4096

/**
 * Creates the flow. A code is exchanged over the connections that pushed the request, so by the same key; it is
 * exchanged once, whatever becomes of the answer.
 */
export function createCodeFlow(options: CodeFlowOptions, context: ClientContext): CodeFlow {
  const { client_id, endpoints, prover, timeout } = options
  const verifyIdToken = createIdTokens(context, timeout)
  const used = new Map<string, Seconds>()

  /** @throws {@link ClientError} `authorization_used` */
  const useUp = (state: string): void => {
    if (used.has(state)) throw new ClientError('authorization_used')
    used.set(state, context.now() + longestAuthorization)
    for (const [old, until] of used) if (used.size > capacity || until < context.now()) used.delete(old)
  }

  const claimsOf = async ({ json }: Answer, nonce: string | undefined, { issuer, jwks_uri }: ServerMetadata) =>
    nonce === undefined ? undefined : await verifyIdToken(json?.id_token, { issuer, client_id, nonce, jwks_uri })

  return {
    begin: (request) => beginAuthorization(client_id, request, { endpoints, prover, context }),
    redeem: async (received, pending) => {
      const metadata = await endpoints.metadata()
      const code = parseAuthorizationResponse(received, pending, { metadata, now: context.now() })
      useUp(pending.state)
      const { redirect_uri, code_verifier, nonce } = pending
      const form = { grant_type: 'authorization_code', code, redirect_uri, code_verifier }
      const answer = await endpoints.post('token_endpoint', Object.entries(form), 'never')
      return { answer, claims: await claimsOf(answer, nonce, metadata) }
    },
  }
}
