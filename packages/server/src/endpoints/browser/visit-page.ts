import type { Inbound } from '@holdfast/pop'
import { beginFlow, formToken, type OpenFlow, type PageForm, type Visit } from '../../authorization/flow.ts'
import type { PageStep } from '../../authorization/interaction.ts'
import type { SignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { Client } from '../../model/client.ts'
import { type Account, renderAccounts } from '../../pages/accounts.ts'
import { descriptionsOf } from '../../pages/asks.ts'
import { renderConsent } from '../../pages/consent.ts'
import type { Form } from '../../pages/document.ts'
import type { Look } from '../../pages/look.ts'
import { renderSignIn, type SignInPage, type SignInProblem } from '../../pages/sign-in.ts'
import type { Settings } from '../../settings.ts'
import { behindIssuer, type Endpoint, type Outbound } from '../endpoint.ts'
import { answerPage, lookOf } from './page.ts'

/** Where the forms of a visit go. */
export const visitPaths: Readonly<Record<'signIn' | 'consent', Endpoint['paths']>> = {
  signIn: behindIssuer('/sign-in'),
  consent: behindIssuer('/consent'),
}

/** Where the sign-in at another provider begins. */
export const upstreamPaths = behindIssuer('/sign-in/upstream')

/** A visit at a browser, on its way to a code. */
export interface Coming {
  readonly inbound: Inbound
  readonly visit: Visit
  readonly client: Client
  /** To be set with the answer. */
  readonly cookies?: readonly string[]
}

/** Why a page is shown again, and what was typed before. */
export interface Again {
  readonly problem?: SignInProblem
  readonly username?: string
  readonly status?: number
}

/** Shows the page of a step, in a flow of this browser. */
export async function show(
  step: PageStep,
  { inbound, visit, client, cookies = [] }: Coming,
  context: Context,
  again: Again = {},
): Promise<Outbound> {
  const { request } = visit
  const { flow, cookie } = visit.flow ? { flow: visit.flow } : await beginFlow(inbound, visit, context)
  const look = lookOf(inbound, context.settings, request.uiLocales)
  return answerPage(render(step, { visit, client, flow, again }, look, context.settings), look, {
    status: again.status ?? 200,
    use: { redirectUri: request.redirectUri },
    cookies: cookie === undefined ? cookies : [...cookies, cookie],
  })
}

/** Somebody as pages show them. */
export function accountOf({ person: { username, claims } }: SignedIn): Account {
  return { username, name: typeof claims.name === 'string' ? claims.name : undefined }
}

/** A client as pages name it. */
export function nameOf({ client_name, client_id }: Client): string {
  return client_name ?? client_id
}

function render(
  step: PageStep,
  {
    visit: { request },
    client,
    flow,
    again: { problem, username = request.loginHint },
  }: { readonly visit: Visit; readonly client: Client; readonly flow: OpenFlow; readonly again: Again },
  look: Look,
  settings: Settings,
): string {
  const name = nameOf(client)
  switch (step.step) {
    case 'sign-in':
      return renderSignIn(
        {
          ...formOf(flow, { page: 'sign-in' }, settings),
          client: name,
          username,
          problem,
          providers: providersOf(flow, settings),
        },
        look,
      )
    case 'choose': {
      const { action, fields } = formOf(flow, { page: 'choose', session: step.signedIn.session }, settings)
      const accounts = [{ ...accountOf(step.signedIn), value: 'current' }]
      return renderAccounts({ action, fields: [...fields, ['step', 'choose']], client: name, accounts }, look)
    }
    case 'consent': {
      const { scope, authorizationDetails, redirectUri } = request
      const form = formOf(flow, { page: 'consent', session: step.signedIn.session }, settings)
      const ask = { client: name, scope, descriptions: descriptionsOf(settings.apis), authorizationDetails }
      return renderConsent({ ...form, ...ask, account: accountOf(step.signedIn), redirectUri }, look)
    }
  }
}

function providersOf({ id: flow }: OpenFlow, settings: Settings): SignInPage['providers'] {
  const [path] = upstreamPaths(settings)
  return settings.people.upstream.map(({ id, name }) => ({
    name,
    address: `${path}?${new URLSearchParams({ flow, upstream: id })}`,
  }))
}

function formOf(flow: OpenFlow, form: PageForm, settings: Settings): Form {
  const [action = ''] = (form.page === 'consent' ? visitPaths.consent : visitPaths.signIn)(settings)
  return {
    action,
    fields: [
      ['flow', flow.id],
      ['csrf', formToken(flow, form)],
    ],
  }
}
