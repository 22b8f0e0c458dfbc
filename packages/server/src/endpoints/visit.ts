import type { Inbound } from '@holdfast/pop'
import { issueCode } from '../authorization/completion.ts'
import { tellingClient } from '../authorization/declined.ts'
import { beginFlow, formToken, type OpenFlow, type Visit } from '../authorization/flow.ts'
import { type Done, findStep, type Step } from '../authorization/interaction.ts'
import type { SignedIn } from '../authorization/session.ts'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import { type Account, renderAccounts } from '../pages/accounts.ts'
import { renderConsent } from '../pages/consent.ts'
import type { Look } from '../pages/look.ts'
import { renderSignIn, type SignInProblem } from '../pages/sign-in.ts'
import { respondToClient } from './authorization-response.ts'
import { behindIssuer, type Outbound } from './endpoint.ts'
import { answerPage, lookOf } from './page.ts'

/** Where the forms of a visit go. */
export const visitPaths = { signIn: behindIssuer('/sign-in'), consent: behindIssuer('/consent') }

/** A visit, and what is known of it by now. */
export interface Progress {
  readonly inbound: Inbound
  readonly visit: Visit
  readonly client: Client
  readonly signedIn: SignedIn | undefined
  readonly done: Done
  readonly cookies?: readonly string[]
}

/**
 * Answers a visit with what it needs next: a page, or the code. OpenID Connect Core §3.1.2.3.
 * @throws Declined `login_required`, `consent_required` @throws Refused `flow_replayed`, `pushed_request_replayed`
 */
export async function proceed(progress: Progress, context: Context): Promise<Outbound> {
  const { visit, client } = progress
  const step = await tellingClient(visit.request, () => findStep(visit.request, client, progress, context))
  if (step.step === 'done') return await complete(progress, step.signedIn, context)
  return await show(step, progress, context)
}

/** Ends a visit with a code. @throws Refused `flow_replayed`, `pushed_request_replayed` */
export async function complete(
  { inbound, visit, client, cookies = [] }: Omit<Progress, 'signedIn' | 'done'>,
  signedIn: SignedIn,
  context: Context,
): Promise<Outbound> {
  const code = await issueCode(visit, client, signedIn, context)
  const look = lookOf(inbound, context.settings, visit.request.uiLocales)
  return respondToClient(visit.request, { code }, { look, settings: context.settings, cookies })
}

/** Shows the page of a step, in a flow of this browser. */
export async function show(
  step: Exclude<Step, { readonly step: 'done' }>,
  { inbound, visit, client, cookies = [] }: Omit<Progress, 'signedIn' | 'done'>,
  context: Context,
  { problem, username, status = 200 }: { problem?: SignInProblem; username?: string; status?: number } = {},
): Promise<Outbound> {
  const { settings } = context
  const { request } = visit
  const { flow, cookie } = visit.flow ? { flow: visit.flow } : await beginFlow(inbound, visit, context)
  const look = lookOf(inbound, settings, request.uiLocales)
  const page =
    step.step === 'sign-in'
      ? renderSignIn(
          { ...formOf(step, flow, context), client: nameOf(client), username: username ?? request.loginHint, problem },
          look,
        )
      : renderSignedInPage(step, { visit, client, flow }, look, context)
  return answerPage(page, look, {
    status,
    use: { redirectUri: request.redirectUri },
    cookies: cookie === undefined ? cookies : [...cookies, cookie],
  })
}

function renderSignedInPage(
  step: Extract<Step, { readonly step: 'choose' | 'consent' }>,
  { visit: { request }, client, flow }: { readonly visit: Visit; readonly client: Client; readonly flow: OpenFlow },
  look: Look,
  context: Context,
): string {
  const form = formOf(step, flow, context)
  const account = accountOf(step.signedIn)
  if (step.step === 'choose')
    return renderAccounts({ ...form, client: nameOf(client), accounts: [{ ...account, value: 'current' }] }, look)
  const { scope, authorizationDetails, redirectUri } = request
  const descriptions = Object.assign({}, ...context.settings.apis.map((api) => api.scopeDescriptions))
  return renderConsent(
    { ...form, client: nameOf(client), scope, descriptions, authorizationDetails, account, redirectUri },
    look,
  )
}

function formOf(step: Exclude<Step, { readonly step: 'done' }>, flow: OpenFlow, { settings }: Context) {
  const token = step.step === 'sign-in' ? { page: step.step } : { page: step.step, session: step.signedIn.session }
  const [action = ''] = (step.step === 'consent' ? visitPaths.consent : visitPaths.signIn)(settings)
  const fields: [string, string][] = [
    ['flow', flow.id],
    ['csrf', formToken(flow, token)],
  ]
  return { action, fields: step.step === 'choose' ? [...fields, ['step', 'choose'] as [string, string]] : fields }
}

/** Somebody as pages show them. */
export function accountOf({ person: { username, claims } }: SignedIn): Account {
  return { username, name: typeof claims.name === 'string' ? claims.name : undefined }
}

/** A client as pages name it. */
export function nameOf({ client_name, client_id }: Client): string {
  return client_name ?? client_id
}
