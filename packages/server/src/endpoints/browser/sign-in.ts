import { type Inbound, type Parameters, type Reason, Refused } from '@holdfast/pop'
import { findWaitingClient } from '../../authorization/authorization-request.ts'
import { findFlow, type OpenFlow, requireFormToken, type Visit } from '../../authorization/flow.ts'
import { formOfOwnPage } from '../../authorization/own-page.ts'
import { beginSession, findSignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { SignInProblem } from '../../pages/sign-in.ts'
import type { Person } from '../../ports/people.ts'
import type { Report } from '../../ports/report.ts'
import type { Endpoint, Outbound } from '../endpoint.ts'
import { renderRefusal, reportOf } from '../refusal.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { proceed } from './visit.ts'
import { type Again, type Coming, show, visitPaths } from './visit-page.ts'

/** Where people sign in, or choose to stay who they are, in the flow of a client. OpenID Connect Core §3.1.2.3. */
export const signIn: Endpoint = {
  paths: visitPaths.signIn,
  methods: ['POST'],
  renderRefusal: renderPageRefusal,
  handle,
}

/** A form of a flow that has come back. */
interface Submitted extends Coming {
  readonly parameters: Parameters
  readonly visit: Visit & { readonly flow: OpenFlow }
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOfOwnPage(inbound, ['flow', 'csrf', 'step', 'username', 'password', 'account'])
  const visit = await findFlow(inbound, parameters, context)
  const client = await findWaitingClient(visit.request, context)
  const submitted = { inbound, parameters, visit, client }
  return await (parameters.one('step') === 'choose' ? choose(submitted, context) : enter(submitted, context))
}

/** Goes on as who is signed in, or asks who else it is. */
async function choose(submitted: Submitted, context: Context): Promise<Outbound> {
  const { inbound, parameters, visit } = submitted
  const signedIn = await findSignedIn(inbound, context)
  if (!signedIn) return await show({ step: 'sign-in' }, submitted, context, { problem: 'expired' })
  requireFormToken(parameters, visit.flow, { page: 'choose', session: signedIn.session })
  if (parameters.one('account') === undefined) return await show({ step: 'sign-in' }, submitted, context)
  return await proceed({ ...submitted, signedIn, done: 'chosen' }, context)
}

/** Judges a password, and goes on as who it is. */
async function enter(submitted: Submitted, context: Context): Promise<Outbound> {
  const { inbound, parameters, visit } = submitted
  requireFormToken(parameters, visit.flow, { page: 'sign-in' })
  const [username, password] = [parameters.one('username') ?? '', parameters.one('password') ?? '']
  try {
    const person = await context.people.authenticate(username, password, inbound.address)
    return await (person ? welcome(submitted, person, context) : askAgain(submitted, context))
  } catch (thrown) {
    return await askLater(submitted, thrown, context)
  }
}

async function welcome(submitted: Submitted, person: Person, context: Context): Promise<Outbound> {
  const { inbound, client } = submitted
  const arrived = { person, methods: ['pwd'], clientId: client.client_id }
  const { signedIn, cookie } = await beginSession(inbound, arrived, context)
  return await proceed({ ...submitted, signedIn, done: 'signed-in', cookies: [cookie] }, context)
}

async function askAgain(submitted: Submitted, context: Context): Promise<Outbound> {
  context.report({ level: 'info', event: 'sign_in_failed', ...sourceOf(submitted) })
  return await show({ step: 'sign-in' }, submitted, context, { problem: 'wrong', status: 400, ...typed(submitted) })
}

/** The page stays, with the word that it takes a while. Everything else that was thrown goes on. */
async function askLater(submitted: Submitted, thrown: unknown, context: Context): Promise<Outbound> {
  const problem = thrown instanceof Refused ? problems[thrown.reason] : undefined
  if (!(thrown instanceof Refused) || !problem) throw thrown
  context.report({ ...reportOf(thrown), ...sourceOf(submitted) })
  const { status, headers } = renderRefusal(thrown)
  const page = await show({ step: 'sign-in' }, submitted, context, { problem, status, ...typed(submitted) })
  return { ...page, headers: { ...page.headers, 'retry-after': headers['retry-after'] ?? '1' } }
}

const problems: Readonly<Partial<Record<Reason, SignInProblem>>> = {
  person_attempts_exhausted: 'exhausted',
  client_busy: 'busy',
}

function sourceOf({ inbound: { address }, client }: Submitted): Pick<Report, 'client' | 'address'> {
  return { client: client.client_id, ...(address !== undefined && { address }) }
}

function typed({ parameters }: Submitted): Again {
  return { username: (parameters.one('username') ?? '').slice(0, 128) }
}
