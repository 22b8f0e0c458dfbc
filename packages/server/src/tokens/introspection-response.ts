import type { Context } from '../context.ts'
import { signJwt } from './jwt.ts'

/**
 * Wraps an introspection answer in a JWT for the one who asked. It has no `sub` and no `exp` of its own, so that it
 * passes for no token. RFC 9701 §5.
 */
export async function signResponse(
  introspection: object,
  audience: string,
  { settings, signer, now }: Context,
): Promise<string> {
  const claims = { iss: settings.issuer, aud: audience, iat: now(), token_introspection: introspection }
  return await signJwt('token-introspection+jwt', claims, signer.active(settings.accessTokens.algorithm))
}
