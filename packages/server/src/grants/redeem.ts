import { Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Issuance } from '../tokens/access-token.ts'
import { authorizationCode } from './authorization-code.ts'
import { clientCredentials } from './client-credentials.ts'
import { deviceCode } from './device-code.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { refreshToken } from './refresh-token.ts'
import { tokenExchange } from './token-exchange.ts'

/** The list. */
export const grants: readonly Grant[] = [clientCredentials, authorizationCode, refreshToken, deviceCode, tokenExchange]

/**
 * Judges what a token request asks for. RFC 6749 §4, §5.2.
 * @throws {@link Refused} `grant_type_missing`, `grant_type_unsupported`, `grant_type_not_allowed`, and the grant's own reasons
 */
export async function redeem(request: GrantRequest, context: Context): Promise<Issuance> {
  const type = request.parameters.one('grant_type')
  if (type === undefined) throw new Refused('grant_type_missing')
  const grant = grants.find(({ grant_type }) => grant_type === type)
  if (!grant) throw new Refused('grant_type_unsupported')
  if (!request.authenticated.client.grant_types.includes(grant.grant_type)) throw new Refused('grant_type_not_allowed')
  return await grant.redeem(request, context)
}
