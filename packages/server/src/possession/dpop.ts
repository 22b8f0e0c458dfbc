import { type Inbound, Refused, verifyDpopProof } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Settings } from '../settings.ts'
import type { PossessionMethod, Shown } from './possession-method.ts'

/** The DPoP proof of a request. RFC 9449 §5. */
export const byDpop: PossessionMethod = {
  async find(inbound, { client }, context) {
    if (!inbound.headers.dpop) return undefined
    if (client.dpop === 'off') throw new Refused('dpop_off')
    return { ...(await judge(inbound, { client }, context)), sparesAccessToken: client.dpop === 'refresh-tokens' }
  },
  isRequired: ({ dpop_bound_access_tokens, dpop }) => dpop_bound_access_tokens || dpop === 'refresh-tokens',
  missing: 'dpop_required',
  metadata: ({ dpop }) => ({ dpop_signing_alg_values_supported: dpop.algorithms }),
}

/**
 * Finds the proof that comes with an access token of ours: it is there, and right for this token. RFC 9449 §7.1.
 *
 * Does not compare its key with that of the token: `requireConfirmed` does.
 *
 * @throws {@link Refused} `dpop_missing`, `dpop_proofs_exhausted`, and those of `verifyDpopProof`
 */
export async function requireProof(
  inbound: Inbound,
  presented: { readonly client: Client; readonly accessToken: string },
  context: Context,
): Promise<Shown> {
  if (!inbound.headers.dpop) throw new Refused('dpop_missing')
  return await judge(inbound, presented, context)
}

/** Says which nonces a client must put into its proofs: what is said of it goes before what is said of all. RFC 9449 §8. */
export function noncesFor(
  { dpop_nonces, token_endpoint_auth_method }: Pick<Client, 'dpop_nonces' | 'token_endpoint_auth_method'>,
  { nonces }: Pick<Settings['dpop'], 'nonces'>,
): 'off' | 'required' | 'on-skew' {
  if (dpop_nonces !== undefined) return dpop_nonces
  if (nonces !== 'required-for-public') return nonces
  return token_endpoint_auth_method === 'none' ? 'required' : 'off'
}

/** Counted whether right or wrong, before the signature costs anything, and only now that the client is known. RFC 9449 §11.1. */
async function judge(
  { headers, method, url, address }: Inbound,
  { client, accessToken }: { readonly client: Client; readonly accessToken?: string },
  { settings, dpop, proofs }: Context,
): Promise<Shown> {
  await proofs.take(client.client_id, address)
  const policy = { algorithms: settings.dpop.algorithms, nonces: noncesFor(client, settings.dpop) }
  const { use, ...shown } = await verifyDpopProof(headers.dpop ?? [], { method, url, accessToken }, policy, dpop)
  return { ...shown, uses: [{ kind: 'proof', ...use }] }
}
