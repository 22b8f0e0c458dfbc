import { type Inbound, type Parameters, parseParameters } from '@holdfast/pop'
import { forgetCookie } from '../../authorization/cookies.ts'
import { formOfOwnPage } from '../../authorization/own-page.ts'
import { findSignedIn, type SignedIn } from '../../authorization/session.ts'
import {
  isVouchedFor,
  judgeSignOut,
  requireSignOutToken,
  type SignOutRequest,
  signOutToken,
} from '../../authorization/sign-out.ts'
import type { Context } from '../../context.ts'
import { renderSignedOut, renderSignOut } from '../../pages/sign-out.ts'
import { behindIssuer, type Endpoint, type Outbound, queryOf } from '../endpoint.ts'
import { answerPage, lookOf, seeOther } from './page.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { accountOf } from './visit-page.ts'

/** Where people sign out, sent by a client or by themselves. OpenID Connect RP-Initiated Logout §2. */
export const signOut: Endpoint = {
  paths: behindIssuer('/sign-out'),
  methods: ['GET', 'POST'],
  address: 'end_session_endpoint',
  renderRefusal: renderPageRefusal,
  handle,
}

const asked = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'logout_hint', 'ui_locales'] as const

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  if (inbound.method === 'POST' && inbound.form?.some(([name]) => name === 'csrf'))
    return await decide(inbound, context)
  const parameters = inbound.method === 'POST' ? parseParameters(inbound.form ?? []) : queryOf(inbound)
  const request = await judgeSignOut(parameters, context)
  if (inbound.method === 'POST') return seeOther(addressOf(parameters, context))
  const signedIn = await findSignedIn(inbound, context)
  if (!signedIn || isVouchedFor(request, signedIn)) return await end(inbound, signedIn, request, context)
  return ask({ inbound, parameters, request, signedIn }, context)
}

/** The answer of the page that asks. */
async function decide(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOfOwnPage(inbound, ['csrf', 'decision', ...asked])
  requireSignOutToken(inbound, parameters)
  const request = await judgeSignOut(parameters, context)
  if (parameters.one('decision') !== 'sign-out') return seeOther(request.next ?? addressOf(parameters, context))
  return await end(inbound, await findSignedIn(inbound, context), request, context)
}

async function end(
  inbound: Inbound,
  signedIn: SignedIn | undefined,
  { next, client }: SignOutRequest,
  { store, settings, audit }: Context,
): Promise<Outbound> {
  if (signedIn) {
    const { hash, subject } = signedIn.session
    const entry = audit({
      event: 'signed_out',
      actor: `person:${subject}`,
      subject,
      ...(client && { client: client.client_id }),
      ...(inbound.address !== undefined && { address: inbound.address }),
    })
    await store.audited({ verb: 'deleteSession', data: hash, audit: entry })
  }
  const cookies = [forgetCookie('session')]
  if (next !== undefined) return seeOther(next, cookies)
  const look = lookOf(inbound, settings)
  return answerPage(renderSignedOut({}, look), look, { cookies })
}

function ask(
  {
    inbound,
    parameters,
    request,
    signedIn,
  }: {
    readonly inbound: Inbound
    readonly parameters: Parameters
    readonly request: SignOutRequest
    readonly signedIn: SignedIn
  },
  { settings }: Context,
): Outbound {
  const look = lookOf(inbound, settings, parameters.one('ui_locales')?.split(' '))
  const [action = ''] = signOut.paths(settings)
  const page = renderSignOut(
    { action, fields: [['csrf', signOutToken(inbound)], ...given(parameters)], account: accountOf(signedIn) },
    look,
  )
  return answerPage(page, look, { use: { redirectUri: request.next } })
}

/** What another site posts comes without cookies; what it leads to by GET has them. */
function addressOf(parameters: Parameters, { settings }: Context): string {
  const query = new URLSearchParams(given(parameters)).toString()
  return `${signOut.paths(settings)[0]}${query && `?${query}`}`
}

function given(parameters: Parameters): [string, string][] {
  return asked.flatMap((name) => {
    const value = parameters.one(name)
    return value === undefined ? [] : [[name, value]]
  })
}
