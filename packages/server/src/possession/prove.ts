import {
  type Confirmation,
  confirmationOf,
  type Inbound,
  type KeyBinding,
  keyBindingOf,
  type Possession,
  Refused,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthenticatedClient } from '../model/authenticated-client.ts'
import type { Use } from '../ports/store.ts'
import { byDpop } from './dpop.ts'
import { byMutualTls } from './mutual-tls.ts'
import type { PossessionMethod, Shown } from './possession-method.ts'

/** The list, in the order in which they bind. */
export const possessionMethods: readonly PossessionMethod[] = [byDpop, byMutualTls]

/** What a request has shown of keys. */
export interface Proven {
  /** Binds codes and refresh tokens, and is what bound ones ask for. */
  readonly possession?: Possession
  /** Binds the access token. */
  readonly confirmation?: Confirmation
  /** What client and key are to have used up. */
  readonly uses: readonly Use[]
  /** What the answer hands out as `DPoP-Nonce`. */
  readonly nextNonce?: string
}

/**
 * Finds the key that this request has shown, if any counts: the first of the list, and the others only of clients of
 * which they are required. It runs once, before the grant.
 * @param demands `nothing` where no token is issued yet: what is begun there can be bound, and need not. RFC 9126, RFC 8628
 * @throws Refused when the evidence is defective, or the client must bring some and does not
 */
export async function prove(
  inbound: Inbound,
  authenticated: AuthenticatedClient & Pick<Proven, 'uses'>,
  context: Context,
  demands: 'what-is-required' | 'nothing' = 'what-is-required',
): Promise<Proven> {
  const all: Shown[] = []
  for (const method of possessionMethods) {
    const isRequired = demands === 'what-is-required' && method.isRequired(authenticated.client)
    if (all.some(bindsAll) && !isRequired) continue
    const shown = await method.find(inbound, authenticated, context)
    if (shown) all.push(shown)
    else if (isRequired) throw new Refused(method.missing)
  }
  const [first] = all
  if (!first) return { uses: authenticated.uses }
  const binding = all.find(bindsAll)
  return {
    possession: first.possession,
    ...(binding && { confirmation: confirmationOf(binding.possession) }),
    uses: [...authenticated.uses, ...all.flatMap(({ uses = [] }) => uses)],
    ...(first.nextNonce !== undefined && { nextNonce: first.nextNonce }),
  }
}

/**
 * What a client begins at PAR or with a device is bound to: a DPoP key in any case; a certificate's only where nothing
 * else shows who comes for it. RFC 9449 §10.1, `decisions.md` 1.10.
 */
export function earlyBindingOf(
  { authentication }: Pick<AuthenticatedClient, 'authentication'>,
  { possession }: Pick<Proven, 'possession'>,
): KeyBinding | undefined {
  return possession && (authentication === 'none' || possession.member === 'jkt') ? keyBindingOf(possession) : undefined
}

function bindsAll({ sparesAccessToken = false }: Shown): boolean {
  return !sparesAccessToken
}
