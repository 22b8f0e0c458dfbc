import { createHmac } from 'node:crypto'
import { equalInConstantTime, type Inbound, parseParameters, Refused, type Seconds } from '@holdfast/pop'
import { findWaitingClient } from '../../authorization/authorization-request.ts'
import { Declined } from '../../authorization/declined.ts'
import { findFlow, type OpenFlow, type Visit } from '../../authorization/flow.ts'
import { beginSession } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { AuthorizationRequest } from '../../model/authorization.ts'
import type { Upstream, UpstreamAttempt, UpstreamIdentity } from '../../ports/upstream.ts'
import type { Settings } from '../../settings.ts'
import { createHandle } from '../../tokens/handle.ts'
import { behindIssuer, type Endpoint, type Outbound, queryOf } from '../endpoint.ts'
import { seeOther } from './page.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { proceed } from './visit.ts'
import { upstreamPaths } from './visit-page.ts'

/** How far the clocks of the two providers may be apart. */
const clockTolerance: Seconds = 60

const callbackPaths = behindIssuer('/sign-in/callback')

/** Sends somebody in a flow to another OpenID provider to sign in. OpenID Connect Core §3.1.2.1. */
export const upstreamSignIn: Endpoint = {
  paths: (settings) => (settings.people.upstream.length > 0 ? upstreamPaths(settings) : []),
  methods: ['GET'],
  renderRefusal: renderPageRefusal,
  handle: begin,
}

/** Where the other provider sends them back. OpenID Connect Core §3.1.2.5. */
export const upstreamCallback: Endpoint = {
  paths: (settings) => (settings.people.upstream.length > 0 ? callbackPaths(settings) : []),
  methods: ['GET'],
  renderRefusal: renderPageRefusal,
  handle: finish,
}

async function begin(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = queryOf(inbound)
  const { request, flow } = await findFlow(inbound, parameters, context)
  const upstream = findUpstream(parameters.one('upstream'), context)
  const attempt = attemptOf(flow, upstream, createHandle(context.primitives.random), context.settings)
  return seeOther(await upstream.begin(attempt, { fresh: mustBeFresh(request) }))
}

async function finish(inbound: Inbound, context: Context): Promise<Outbound> {
  const state = queryOf(inbound).one('state') ?? ''
  const [id = '', name, salt = ''] = state.split('.')
  const visit = await findFlow(inbound, parseParameters([['flow', id]]), context)
  const upstream = findUpstream(name, context)
  const attempt = attemptOf(visit.flow, upstream, salt, context.settings)
  if (!equalInConstantTime(state, attempt.state)) throw new Refused('page_token_wrong')
  const client = await findWaitingClient(visit.request, context)
  const identity = await upstream.finish(answerAt(attempt.redirectUri, inbound), attempt)
  requireFresh(identity, visit)
  const person = await context.people.findUpstream?.(identity)
  if (!person || person.disabled) throw new Refused('upstream_person_unknown')
  const { signedIn, cookie } = await beginSession(
    inbound,
    { person, methods: identity.methods, clientId: client.client_id },
    context,
  )
  return await proceed({ inbound, visit, client, signedIn, done: 'signed-in', cookies: [cookie] }, context)
}

function mustBeFresh({ prompt, maxAge }: AuthorizationRequest): boolean {
  return prompt.includes('login') || maxAge !== undefined
}

/** The browser carries the wish for a new sign-in there, and may lose it on the way: what counts is what the provider says. */
function requireFresh({ authenticated = 0 }: UpstreamIdentity, { request, flow }: Visit & { flow: OpenFlow }): void {
  if (mustBeFresh(request) && authenticated < flow.created - clockTolerance)
    throw new Declined('login_required', request)
}

/** The answer at the address that the provider was given, whatever listener took it. */
function answerAt(redirectUri: string, { url }: Inbound): URL {
  return new URL(`${redirectUri}${new URL(url).search}`)
}

function findUpstream(id: string | undefined, { upstreams }: Context): Upstream {
  const found = upstreams.find((each) => each.id === id)
  if (!found) throw new Refused('upstream_unknown')
  return found
}

/** All follows from the secret of the browser and a salt: nothing is stored, and no other browser can come back with it. */
function attemptOf({ id, secret }: OpenFlow, upstream: Upstream, salt: string, settings: Settings): UpstreamAttempt {
  const derive = (purpose: string) =>
    createHmac('sha256', secret).update(`upstream ${purpose} ${id} ${upstream.id} ${salt}`).digest('base64url')
  return {
    redirectUri: `${new URL(settings.issuer).origin}${callbackPaths(settings)[0]}`,
    state: [id, upstream.id, salt, derive('state')].join('.'),
    nonce: derive('nonce'),
    verifier: derive('verifier'),
  }
}
