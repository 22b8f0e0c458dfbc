import { isKeyBindingShown, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { RefreshToken } from '../model/authorization.ts'
import { handleHash, isHandle } from '../tokens/handle.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { bindingOf, earn, isReplay, refuseReplay, requireAuthorization } from './person-grant.ts'

/**
 * A person's authorization goes on. RFC 6749 §6.
 *
 * A confidential client's token is protected by its authentication and stays; a public client's is bound to a key and
 * stays, or is replaced at each use, and whoever shows a replaced one ends the family. What began bound stays bound.
 * RFC 9700 §4.14.2, RFC 8705 §4, RFC 9449 §5.
 */
export const refreshToken: Grant = {
  grant_type: 'refresh_token',
  async redeem(request, context) {
    const token = await requireRefreshToken(request, context)
    const authorization = await requireAuthorization(token.authorizationId, context)
    if (token.beganBound && !request.confirmation) throw new Refused('grant_began_bound')
    const earned = earn(authorization, request, context)
    if (token.holder === 'confidential' || token.binding) return earned
    return {
      ...earned,
      redemptions: [{ kind: 'refresh_token', hash: token.hash }],
      refreshToken: nextOf(token, request, context.now()),
    }
  },
}

async function requireRefreshToken(
  { authenticated: { client, authentication }, parameters, possession }: GrantRequest,
  context: Context,
): Promise<RefreshToken> {
  const { store, now } = context
  const text = parameters.one('refresh_token')
  if (text === undefined) throw new Refused('refresh_token_missing')
  const token = isHandle(text) ? await store.findRefreshToken(handleHash(text)) : undefined
  if (!token) throw new Refused('refresh_token_unknown')
  if (token.clientId !== client.client_id) throw new Refused('refresh_token_of_another_client')
  if ((token.holder === 'public') !== (authentication === 'none')) throw new Refused('refresh_token_of_another_kind')
  if (token.binding && !isKeyBindingShown(token.binding, possession)) throw new Refused('refresh_token_key_not_shown')
  if (token.replaced !== undefined) {
    if (isReplay(token.replaced, now())) await refuseReplay('refresh_token_replayed', token, context)
    throw new Refused('refresh_token_used')
  }
  if (token.expires <= now()) throw new Refused('refresh_token_expired')
  return token
}

/** It lives no longer than the one it replaces. A key shown now binds all that follow. */
function nextOf(
  { hash: _, replaced: __, ...token }: RefreshToken,
  { possession, confirmation }: GrantRequest,
  created: number,
): Omit<RefreshToken, 'hash'> {
  return {
    ...token,
    ...bindingOf(token.holder, possession),
    beganBound: token.beganBound || confirmation !== undefined,
    generation: token.generation + 1,
    created,
  }
}
