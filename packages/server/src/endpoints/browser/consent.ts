import { type Inbound, Refused } from '@holdfast/pop'
import { findWaitingClient } from '../../authorization/authorization-request.ts'
import { endFlow } from '../../authorization/completion.ts'
import { Declined } from '../../authorization/declined.ts'
import { findFlow, requireFormToken } from '../../authorization/flow.ts'
import { mustSignIn, rememberConsent } from '../../authorization/interaction.ts'
import { formOfOwnPage } from '../../authorization/own-page.ts'
import { findSignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { Endpoint, Outbound } from '../endpoint.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { complete } from './visit.ts'
import { show, visitPaths } from './visit-page.ts'

/** Where people allow or deny what a client asks for. RFC 6749 §10.2, §10.12. */
export const consent: Endpoint = {
  paths: visitPaths.consent,
  methods: ['POST'],
  renderRefusal: renderPageRefusal,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOfOwnPage(inbound, ['flow', 'csrf', 'decision'])
  const visit = await findFlow(inbound, parameters, context)
  const client = await findWaitingClient(visit.request, context)
  const signedIn = await findSignedIn(inbound, context)
  if (!signedIn) return await show({ step: 'sign-in' }, { inbound, visit, client }, context, { problem: 'expired' })
  requireFormToken(parameters, visit.flow, { page: 'consent', session: signedIn.session })
  switch (parameters.one('decision')) {
    case 'allow': {
      // The page alone does not show that they did: its token can be made from what the browser keeps.
      const done = signedIn.session.authenticated >= visit.flow.created ? 'signed-in' : 'nothing'
      if (mustSignIn(visit.request, client, { signedIn, done }, context))
        return await show({ step: 'sign-in' }, { inbound, visit, client }, context, { problem: 'expired' })
      const answer = await complete({ inbound, visit, client }, signedIn, context)
      await rememberConsent(visit.request, { signedIn, inbound }, context)
      return answer
    }
    case 'deny':
      await endFlow(visit, context)
      throw new Declined('consent_denied', visit.request)
    case 'switch':
      return await show({ step: 'sign-in' }, { inbound, visit, client }, context)
    default:
      throw new Refused('page_form_altered')
  }
}
