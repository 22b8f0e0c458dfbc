import { type Inbound, type Parameters, Refused, type refusals } from '@holdfast/pop'
import { findAskingClient } from '../authorization/authorization-request.ts'
import { findFlow, type OpenFlow, requireFormToken, type Visit } from '../authorization/flow.ts'
import { formOfOwnPage } from '../authorization/own-page.ts'
import { beginSession, findSignedIn } from '../authorization/session.ts'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { SignInProblem } from '../pages/sign-in.ts'
import type { Person } from '../ports/people.ts'
import type { Endpoint, Outbound } from './endpoint.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { renderRefusal, reportOf } from './refusal.ts'
import { proceed, show, visitPaths } from './visit.ts'

/** Where people sign in, or choose to stay who they are, in the flow of a client. OpenID Connect Core §3.1.2.3. */
export const signIn: Endpoint = {
  paths: visitPaths.signIn,
  methods: ['POST'],
  renderRefusal: renderPageRefusal,
  handle,
}

interface Coming {
  readonly inbound: Inbound
  readonly parameters: Parameters
  readonly visit: Visit & { readonly flow: OpenFlow }
  readonly client: Client
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOfOwnPage(inbound, ['flow', 'csrf', 'step', 'username', 'password', 'account'])
  const visit = await findFlow(inbound, parameters, context)
  const client = await findAskingClient(visit.request.clientId, context)
  const coming = { inbound, parameters, visit, client }
  return await (parameters.one('step') === 'choose' ? choose(coming, context) : enter(coming, context))
}

/** Goes on as who is signed in, or asks who else it is. */
async function choose(coming: Coming, context: Context): Promise<Outbound> {
  const { inbound, parameters, visit } = coming
  const signedIn = await findSignedIn(inbound, context)
  if (!signedIn) return await show({ step: 'sign-in' }, coming, context, { problem: 'expired' })
  requireFormToken(parameters, visit.flow, { page: 'choose', session: signedIn.session })
  if (parameters.one('account') === undefined) return await show({ step: 'sign-in' }, coming, context)
  return await proceed({ ...coming, signedIn, done: 'chosen' }, context)
}

async function enter(coming: Coming, context: Context): Promise<Outbound> {
  const { inbound, parameters, visit } = coming
  requireFormToken(parameters, visit.flow, { page: 'sign-in' })
  try {
    const person = await authenticatePerson(coming, context)
    if (!person) return await askAgain(coming, 'wrong', 400, context)
    const { signedIn, cookie } = await beginSession(inbound, person, ['pwd'], context)
    return await proceed({ ...coming, signedIn, done: 'signed-in', cookies: [cookie] }, context)
  } catch (thrown) {
    const problem = thrown instanceof Refused ? problems[thrown.reason] : undefined
    if (!(thrown instanceof Refused) || !problem) throw thrown
    context.report({ ...reportOf(thrown), client: coming.client.client_id })
    const { status, headers } = renderRefusal(thrown)
    const page = await askAgain(coming, problem, status, context)
    return { ...page, headers: { ...page.headers, 'retry-after': headers['retry-after'] ?? '1' } }
  }
}

const problems: Readonly<Partial<Record<keyof typeof refusals, SignInProblem>>> = {
  person_attempts_exhausted: 'exhausted',
  client_busy: 'busy',
}

async function authenticatePerson(
  { inbound: { address }, parameters, client }: Coming,
  { people, report }: Context,
): Promise<Person | undefined> {
  const [username, password] = [parameters.one('username') ?? '', parameters.one('password') ?? '']
  const person = await people.authenticate(username, password, address)
  if (!person) report({ level: 'info', event: 'sign_in_failed', client: client.client_id })
  return person
}

async function askAgain(coming: Coming, problem: SignInProblem, status: number, context: Context): Promise<Outbound> {
  const username = (coming.parameters.one('username') ?? '').slice(0, 128)
  return await show({ step: 'sign-in' }, coming, context, { problem, username, status })
}
