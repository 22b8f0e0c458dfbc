import type { Inbound, Possession } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthenticatedClient } from '../model/authenticated-client.ts'
import type { Settings } from '../settings.ts'

/** A way in which a request shows a key to which its token gets bound. */
export interface PossessionMethod {
  /** @returns undefined when the request does not use it, or it does not count @throws Refused */
  prove(inbound: Inbound, authenticated: AuthenticatedClient, context: Context): Possession | undefined
  /** What the server's metadata says of it. */
  metadata(settings: Settings): Readonly<Record<string, unknown>>
}
