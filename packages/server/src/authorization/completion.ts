import { Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization, AuthorizationCode } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import type { IssueOutcome, Redemption } from '../ports/store.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'
import type { Visit } from './flow.ts'
import type { SignedIn } from './session.ts'

/** From the redirect to the token endpoint. RFC 6749 §4.1.2. */
const codeLifetime: Seconds = 60

/** The longest life of an access token: what stands for it must not go earlier. */
const longestAccessToken: Seconds = 86_400

/**
 * Ends a visit with a code: the flow, the pushed request, the authorization and the code in one store verb, so that
 * one of many submits gives a code. RFC 6749 §4.1.2, RFC 9126 §7.3.
 * @throws {@link Refused} `flow_replayed`, `pushed_request_replayed`
 */
export async function issueCode(
  visit: Visit,
  client: Client,
  signedIn: SignedIn,
  { store, now, primitives }: Context,
): Promise<string> {
  const moment = now()
  const code = createHandle(primitives.random)
  const authorization = authorizationOf(createHandle(primitives.random), visit, client, signedIn, moment)
  const outcome = await store.issue({
    uses: [],
    redemptions: redemptionsOf(visit),
    now: moment,
    authorization,
    code: codeOf(code, visit, authorization),
  })
  requireKept(outcome)
  return code
}

/** Ends a visit without a code. @throws {@link Refused} `flow_replayed`, `pushed_request_replayed` */
export async function endFlow(visit: Visit, { store, now }: Context): Promise<void> {
  requireKept(await store.issue({ uses: [], redemptions: redemptionsOf(visit), now: now() }))
}

function requireKept(outcome: IssueOutcome): void {
  if (outcome.issued) return
  throw new Refused(outcome.lost === 'pushed_request' ? 'pushed_request_replayed' : 'flow_replayed')
}

/** A flow takes its pushed request with it. */
function redemptionsOf({ flow, pushedRequest }: Visit): readonly Redemption[] {
  if (flow) return [{ kind: 'flow', hash: flow.hash }]
  return pushedRequest === undefined ? [] : [{ kind: 'pushed_request', hash: pushedRequest }]
}

function authorizationOf(
  id: string,
  { request }: Visit,
  client: Client,
  { session }: SignedIn,
  created: Seconds,
): Authorization {
  const { clientId, scope, resources, authorizationDetails, nonce } = request
  const { subject, sid, authenticated, methods } = session
  const common = { id, clientId, subject, scope, resources, authorizationDetails, sid, authenticated, methods, created }
  const expires = created + Math.max(client.refresh_token_lifetime, codeLifetime + longestAccessToken)
  return { ...common, expires, ...(nonce !== undefined && { nonce }) }
}

function codeOf(code: string, { request }: Visit, { id, created }: Authorization): AuthorizationCode {
  const { clientId, redirectUri, redirectUriGiven, codeChallenge, binding } = request
  const common = { clientId, redirectUri, redirectUriGiven, codeChallenge, ...(binding && { binding }) }
  return { hash: handleHash(code), authorizationId: id, ...common, expires: created + codeLifetime }
}
