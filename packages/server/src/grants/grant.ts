import type { Parameters, Possession } from '@holdfast/pop'
import type { Authenticated } from '../client-authentication/client-authentication.ts'
import type { Context } from '../context.ts'
import type { Authorization, RefreshToken } from '../model/authorization.ts'
import type { AccessGrant } from '../model/reference-token.ts'
import type { Redemption, Use } from '../ports/store.ts'
import type { AccessTokenSettings } from '../settings.ts'

/** What a token request has earned: judged, nothing used up. */
export interface Redeemed {
  readonly grant: AccessGrant
  readonly accessToken: AccessTokenSettings
  /** What `issue` marks as used. */
  readonly uses: readonly Use[]
  readonly redemptions?: readonly Redemption[]
  /** A person's authorization that must still stand. */
  readonly authorization?: Authorization
  /** What the refresh token shall be; its handle and hash are made by `issue`. */
  readonly refreshToken?: Omit<RefreshToken, 'hash'>
  /** The scope has `openid`: an ID token goes with it. */
  readonly idToken?: { readonly nonce?: string }
}

/** A token request whose client is known and whose key, if any, is proven. Grants see no header and no certificate. */
export interface GrantRequest {
  readonly authenticated: Authenticated
  readonly parameters: Parameters
  readonly possession: Possession | undefined
}

/** A grant type. */
export interface Grant {
  readonly grant_type: Authenticated['client']['grant_types'][number]
  /** @throws Refused */
  redeem(request: GrantRequest, context: Context): Redeemed | Promise<Redeemed>
}
