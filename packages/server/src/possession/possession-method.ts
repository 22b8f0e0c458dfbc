import type { Awaitable, Inbound, Possession, Reason } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthenticatedClient } from '../model/authenticated-client.ts'
import type { Client } from '../model/client.ts'
import type { Use } from '../ports/store.ts'
import type { Settings } from '../settings.ts'

/** A way in which a request shows a key to which its token gets bound. */
export interface PossessionMethod {
  /** @returns undefined when the request does not use it, or it does not count @throws Refused when it is defective */
  find(inbound: Inbound, authenticated: AuthenticatedClient, context: Context): Awaitable<Shown | undefined>
  /** Says whether the client is registered for tokens that are bound in this way, and no others. */
  isRequired(client: Client): boolean
  /** Why a client is refused of which it is required and that does not use it. */
  readonly missing: Reason
  /** What the server's metadata says of it. */
  metadata(settings: Settings): Readonly<Record<string, unknown>>
}

/** A key that a request has shown. */
export interface Shown {
  readonly possession: Possession
  /** What must be marked as used before anybody acts on it. */
  readonly uses?: readonly Use[]
  /** It leaves the access token alone, and binds only what the token can be renewed with. RFC 9449 §5. */
  readonly sparesAccessToken?: boolean
  /** What the answer hands out as `DPoP-Nonce`. RFC 9449 §8.2. */
  readonly nextNonce?: string
}
