import { issueCode } from '../../authorization/completion.ts'
import { tellingClient } from '../../authorization/declined.ts'
import { type Done, findStep } from '../../authorization/interaction.ts'
import type { SignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { Outbound } from '../endpoint.ts'
import { respondToClient } from './authorization-response.ts'
import { lookOf } from './page.ts'
import { type Coming, show } from './visit-page.ts'

/**
 * Answers a visit with what it needs next: a page, or the code. OpenID Connect Core §3.1.2.3.
 * @throws Declined `login_required`, `consent_required` @throws Refused `flow_replayed`, `pushed_request_replayed`
 */
export async function proceed(
  coming: Coming & { readonly signedIn: SignedIn | undefined; readonly done: Done },
  context: Context,
): Promise<Outbound> {
  const { visit, client } = coming
  const step = await tellingClient(visit.request, () => findStep(visit.request, client, coming, context))
  return step.step === 'done' ? await complete(coming, step.signedIn, context) : await show(step, coming, context)
}

/** Ends a visit with a code. @throws Refused `flow_replayed`, `pushed_request_replayed` */
export async function complete(
  { inbound, visit, client, cookies = [] }: Coming,
  signedIn: SignedIn,
  context: Context,
): Promise<Outbound> {
  const code = await issueCode(visit, client, signedIn, context)
  const look = lookOf(inbound, context.settings, visit.request.uiLocales)
  return respondToClient(visit.request, { code }, { look, settings: context.settings, cookies })
}
