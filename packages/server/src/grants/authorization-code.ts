import { isKeyBindingShown, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization, AuthorizationCode } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { handleHash, isHandle } from '../tokens/handle.ts'
import { wordsOf } from './audience.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { earn, firstRefreshToken, isReplay, refuseReplay, requireAuthorization } from './person-grant.ts'
import { isVerifierOf } from './pkce.ts'

/**
 * A person allowed it at the authorization endpoint. RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10.
 *
 * Everything is judged before the code is used up: who is refused has not spoiled it for its own client, but another
 * client and a wrong verifier count, and the fifth such try ends the code.
 */
export const authorizationCode: Grant = {
  grant_type: 'authorization_code',
  async redeem(request, context) {
    const code = await requireCode(request, context)
    const authorization = await requireAuthorization(code.authorizationId, context)
    const { idToken, ...earned } = earn(authorization, request, context)
    const { nonce } = authorization
    return {
      ...earned,
      redemptions: [{ kind: 'code', hash: code.hash }],
      ...(idToken && { idToken: { ...idToken, ...(nonce !== undefined && { nonce }) } }),
      ...(isRefreshable(request.authenticated.client, authorization) && {
        refreshToken: firstRefreshToken(authorization, request, context.now()),
      }),
    }
  },
}

async function requireCode(
  { authenticated: { client }, parameters, possession }: GrantRequest,
  context: Context,
): Promise<AuthorizationCode> {
  const { store, codeTries, now } = context
  const text = parameters.one('code')
  if (text === undefined) throw new Refused('code_missing')
  const code = isHandle(text) ? await store.findCode(handleHash(text)) : undefined
  if (!code) throw new Refused('code_unknown')
  codeTries.requireLeft(code.hash, undefined)
  if (code.clientId !== client.client_id) {
    await codeTries.settle(code.hash, undefined, 'wrong')
    throw new Refused('code_of_another_client')
  }
  requireRedirectUri(code, parameters.one('redirect_uri'))
  const verifier = parameters.one('code_verifier')
  if (verifier === undefined) throw new Refused('code_verifier_missing')
  if (!isVerifierOf(code.codeChallenge, verifier)) {
    await codeTries.settle(code.hash, undefined, 'wrong')
    throw new Refused('code_verifier_wrong')
  }
  await codeTries.settle(code.hash, undefined, 'right')
  if (code.binding && !isKeyBindingShown(code.binding, possession)) throw new Refused('code_key_not_shown')
  if (code.redeemed !== undefined) {
    if (isReplay(code.redeemed, now())) await refuseReplay('code_replayed', code, context)
    throw new Refused('code_used')
  }
  if (code.expires <= now()) throw new Refused('code_expired')
  return code
}

/** Repeated where the authorization request named it, character by character. RFC 6749 §4.1.3. */
function requireRedirectUri({ redirectUri, redirectUriGiven }: AuthorizationCode, given: string | undefined): void {
  if (given === undefined ? redirectUriGiven : given !== redirectUri) throw new Refused('code_redirect_uri_differs')
}

/**
 * Native applications keep people signed in; on the web somebody must have allowed access while they are away.
 * OpenID Connect Core §11.
 */
function isRefreshable({ grant_types, application_type }: Client, { scope }: Authorization): boolean {
  return (
    grant_types.includes('refresh_token') &&
    (application_type === 'native' || wordsOf(scope).includes('offline_access'))
  )
}
