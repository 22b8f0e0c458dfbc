import type { Parameters } from '@holdfast/pop'
import type { Authenticated } from '../client-authentication/client-authentication.ts'
import type { Context } from '../context.ts'
import type { Proven } from '../possession/prove.ts'
import type { Issuance } from '../tokens/access-token.ts'

/** A token request whose client is known and whose key, if any, is proven. Grants see no header and no certificate. */
export interface GrantRequest extends Proven {
  readonly authenticated: Authenticated
  readonly parameters: Parameters
}

/** A grant type. */
export interface Grant {
  readonly grant_type: Authenticated['client']['grant_types'][number]
  /** Says what a token request has earned: judged, nothing used up. @throws Refused */
  redeem(request: GrantRequest, context: Context): Issuance | Promise<Issuance>
}
