import { type Inbound, type Refused, refusals } from '@holdfast/pop'
import { Declined } from '../../authorization/declined.ts'
import { renderRefused } from '../../pages/refused.ts'
import type { Settings } from '../../settings.ts'
import type { Outbound } from '../endpoint.ts'
import { renderRefusal } from '../refusal.ts'
import { respondToClient } from './authorization-response.ts'
import { answerPage, lookOf } from './page.ts'

/** Declines at an address of people's browsers: the client is told where that is safe, the person otherwise. */
export function renderPageRefusal(refused: Refused, request: Pick<Inbound, 'headers'>, settings: Settings): Outbound {
  const look = lookOf(request, settings)
  const { error, says } = refusals[refused.reason]
  if (refused instanceof Declined)
    return respondToClient(refused.target, { error, error_description: says }, { look, settings })
  const { status, headers } = renderRefusal(refused)
  const wait = headers['retry-after']
  const answer = answerPage(renderRefused({ error, says }, look), look, { status })
  return wait === undefined ? answer : { ...answer, headers: { ...answer.headers, 'retry-after': wait } }
}
