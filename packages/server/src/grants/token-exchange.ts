import {
  isJsonObject,
  type JsonObject,
  type Parameters,
  type Possession,
  Refused,
  requireConfirmed,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import { findPresentedToken, findStanding, type PresentedToken, type Standing } from '../tokens/presented-token.ts'
import { chooseAudience, wordsOf } from './audience.ts'
import type { Grant } from './grant.ts'

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/** So many can have acted one after the other: each is written into the token. */
const mostActors = 8

/**
 * A client trades an access token of ours for another one for the same subject, and is recorded as who acts. RFC 8693.
 *
 * It may be the token's own client, an API in its audience, or whoever shows the token's key. A bound token is traded
 * only for a bound one: by who shows its key, or by an API in its audience that shows a key of its own. The new token
 * never allows more and never lives longer.
 */
export const tokenExchange: Grant = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  async redeem({ authenticated: { client, authentication }, parameters, possession, confirmation, uses }, context) {
    if (authentication === 'none') throw new Refused('exchange_client_public')
    const { token, standing } = await requireSubjectToken(parameters, context)
    requireHolder(token, client, confirmation && possession)
    if (countActors(token.actor) >= mostActors) throw new Refused('actors_too_many')
    const permission = {
      scope: bothAllow(token.scope, client.scope),
      resources: standing.authorization?.resources ?? [],
      byPerson: standing.authorization !== undefined,
      namedBy: ['resource', 'audience'] as const,
    }
    const { scope, audience, accessToken } = chooseAudience(client, parameters, context.settings, permission)
    const { subject, authorizationId, actor } = token
    return {
      grant: {
        subject,
        clientId: client.client_id,
        scope,
        audience,
        ...(confirmation && { confirmation }),
        ...(authorizationId !== undefined && { authorizationId }),
        actor: { sub: client.client_id, ...(actor && { act: actor }) },
      },
      accessToken: { ...accessToken, lifetime: Math.min(accessToken.lifetime, token.expires - context.now()) },
      uses,
      ...(standing.authorization && { authorization: standing.authorization }),
      type: accessTokenType,
    }
  },
}

async function requireSubjectToken(
  parameters: Parameters,
  context: Context,
): Promise<{ readonly token: PresentedToken; readonly standing: Standing }> {
  const text = parameters.one('subject_token')
  if (text === undefined) throw new Refused('subject_token_missing')
  if (parameters.one('subject_token_type') !== accessTokenType) throw new Refused('subject_token_type')
  if ((parameters.one('requested_token_type') ?? accessTokenType) !== accessTokenType)
    throw new Refused('requested_token_type')
  if (parameters.one('actor_token') ?? parameters.one('actor_token_type')) throw new Refused('actor_token_unsupported')
  const token = await findPresentedToken(text, context)
  const standing = token && (await findStanding(token, context))
  if (!token || !standing) throw new Refused('subject_token_inactive')
  return { token, standing }
}

/** @throws {@link Refused} `subject_token_not_for_client`, `subject_token_key_not_shown` */
function requireHolder(
  { confirmation, audience, clientId }: PresentedToken,
  { client_id, introspects }: Client,
  possession: Possession | undefined,
): void {
  const isInAudience = audience.some((identifier) => introspects.includes(identifier))
  if (!confirmation) {
    if (clientId !== client_id && !isInAudience) throw new Refused('subject_token_not_for_client')
    return
  }
  if (isInAudience && possession) return
  try {
    requireConfirmed(confirmation, possession ? [possession] : [])
  } catch (cause) {
    throw new Refused('subject_token_key_not_shown', { cause })
  }
}

function countActors(actor: JsonObject | undefined): number {
  let count = 0
  for (let each: unknown = actor; isJsonObject(each); each = each.act) count++
  return count
}

function bothAllow(one: string, other: string): string {
  const allowed = wordsOf(other)
  return wordsOf(one)
    .filter((each) => allowed.includes(each))
    .join(' ')
}
