import type { JsonObject, Primitives, Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AccessGrant } from '../model/reference-token.ts'
import type { SigningAlgorithm } from '../model/signing-key.ts'
import { signJwt } from './jwt.ts'

/** When an access token lives, and what it is called. */
export interface Life {
  readonly jti: string
  readonly issued: Seconds
  readonly expires: Seconds
}

/** Signs a JWT access token. RFC 9068 §2. */
export async function signAccessToken(
  {
    grant,
    life: { jti, issued, expires },
    details,
  }: { readonly grant: AccessGrant; readonly life: Life; readonly details: readonly JsonObject[] },
  algorithm: SigningAlgorithm,
  { signer, settings }: Pick<Context, 'signer' | 'settings'>,
): Promise<string> {
  const claims = {
    iss: settings.issuer,
    exp: expires,
    aud: grant.audience.length === 1 ? grant.audience[0] : grant.audience,
    sub: grant.subject,
    client_id: grant.clientId,
    iat: issued,
    jti,
    scope: grant.scope,
    cnf: grant.confirmation,
    act: grant.actor,
    authorization_details: details.length > 0 ? details : undefined,
  }
  return await signJwt('at+jwt', claims, signer.active(algorithm))
}

/** Names a new token. One that follows from an authorization says from which, so that it is found to end with it. */
export function identifierOf({ authorizationId }: AccessGrant, random: Primitives['random']): string {
  const own = Buffer.from(random(16)).toString('base64url')
  return authorizationId === undefined ? own : `${authorizationId}.${own}`
}

/** The authorization that a token of this name follows from. */
export function authorizationIdOf(jti: string): string | undefined {
  const dot = jti.indexOf('.')
  return dot < 0 ? undefined : jti.slice(0, dot)
}
