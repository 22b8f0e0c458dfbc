import { hkdfSync } from 'node:crypto'
import { createBoundedCache, createDpopNonces, type Inbound, Refused, verifyDpopProof } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import type { Settings } from '../settings.ts'
import type { PossessionMethod, Shown } from './possession-method.ts'

/** The DPoP proof of a request. RFC 9449 §5. */
export const byDpop: PossessionMethod = {
  async find({ headers, method, url }, { client }, { settings, dpop }) {
    const proofs = headers.dpop
    if (!proofs) return undefined
    if (client.dpop === 'off') throw new Refused('dpop_off')
    const policy = { algorithms: settings.dpop.algorithms, nonces: noncesFor(client, settings) }
    const { use, ...verified } = await verifyDpopProof(proofs, { method, url }, policy, dpop)
    const sparesAccessToken = client.dpop === 'refresh-tokens'
    return { ...verified, uses: [{ kind: 'proof', ...use }], sparesAccessToken }
  },
  isRequired: ({ dpop_bound_access_tokens, dpop }) => dpop_bound_access_tokens || dpop === 'refresh-tokens',
  missing: 'dpop_required',
  metadata: ({ dpop }) => ({ dpop_signing_alg_values_supported: dpop.algorithms }),
}

/**
 * Finds the proof that comes with an access token of ours. RFC 9449 §7.1.
 * @throws {@link Refused} `dpop_missing`, and those of `verifyDpopProof`
 */
export async function findProof(
  { headers, method, url }: Inbound,
  accessToken: string,
  { settings, dpop }: Context,
): Promise<Shown> {
  if (!headers.dpop) throw new Refused('dpop_missing')
  const { algorithms, nonces } = settings.dpop
  const policy = { algorithms, nonces: nonces === 'required-for-public' ? 'required' : nonces } as const
  const { use, ...verified } = await verifyDpopProof(headers.dpop, { method, url, accessToken }, policy, dpop)
  return { ...verified, uses: [{ kind: 'proof', ...use }] }
}

/** How many keys are kept ready: importing one costs as much as checking a signature. */
const keptKeys = 4096

/** Creates what checking proofs needs: nonces under a key of their own, which is derived from the store's. */
export function createDpopContext(
  encryptionKey: Uint8Array,
  { now, primitives }: Pick<Context, 'now' | 'primitives'>,
): Context['dpop'] {
  const key = new Uint8Array(hkdfSync('sha256', encryptionKey, '', 'holdfast DPoP nonces', 32))
  return { now, primitives, nonces: createDpopNonces(key, primitives), keys: createBoundedCache(keptKeys) }
}

/** What is said of the client goes before what is said of all. */
function noncesFor(
  { dpop_nonces, token_endpoint_auth_method }: Client,
  { dpop: { nonces } }: Settings,
): 'off' | 'required' | 'on-skew' {
  if (dpop_nonces !== undefined) return dpop_nonces
  if (nonces !== 'required-for-public') return nonces
  return token_endpoint_auth_method === 'none' ? 'required' : 'off'
}
