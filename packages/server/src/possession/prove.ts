import type { Inbound, Possession } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthenticatedClient } from '../model/authenticated-client.ts'
import { byMutualTls } from './mutual-tls.ts'
import type { PossessionMethod } from './possession-method.ts'

/** The list, in the order in which they bind. */
export const possessionMethods: readonly PossessionMethod[] = [byMutualTls]

/**
 * Finds the key that this request has shown, if any counts. It runs once, before the grant.
 * @throws Refused when the evidence is defective, or the client must bring some and does not
 */
export function prove(inbound: Inbound, authenticated: AuthenticatedClient, context: Context): Possession | undefined {
  const shown = possessionMethods.map((method) => method.prove(inbound, authenticated, context))
  return shown.find((possession) => possession !== undefined)
}
