import { type Inbound, type Possession, Refused } from '@holdfast/pop'
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
  const shown = possessionMethods.map((method) => {
    const possession = method.find(inbound, authenticated, context)
    if (!possession && method.isRequired(authenticated.client)) throw new Refused(method.missing)
    return possession
  })
  return shown.find((possession) => possession !== undefined)
}

/**
 * Finds the key that a request has shown which issues no token yet, and so need not show any: what it begins can be
 * bound to it. RFC 9126, RFC 8628.
 * @throws Refused when the evidence is defective
 */
export function findPossession(
  inbound: Inbound,
  authenticated: AuthenticatedClient,
  context: Context,
): Possession | undefined {
  const shown = possessionMethods.map((method) => method.find(inbound, authenticated, context))
  return shown.find((possession) => possession !== undefined)
}
