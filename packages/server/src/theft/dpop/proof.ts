import { type Awaitable, createDpopProof, type ProofKey, type Seconds } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { present } from '../judge.ts'
import type { Connection } from '../request.ts'
import type { Attempt, Loot } from '../theft.ts'

/** What is different about a proof. */
export interface ProofChange {
  readonly method?: string
  readonly url?: string
  /** Leave out: the stolen token. `undefined`: none, as in a proof for the token endpoint. */
  readonly accessToken?: string | undefined
  readonly nonce?: string | undefined
  /** How long ago it was made. */
  readonly age?: Seconds
}

/** Makes a proof: for the request that uses the stolen token, unless something is to be different. */
export async function prove(
  { token, url }: Loot,
  key: ProofKey,
  { age = 0, ...change }: ProofChange = {},
): Promise<string> {
  const now = () => Math.floor(Date.now() / 1000) - age
  return await createDpopProof(
    key,
    { method: 'GET', url: url.href, accessToken: token, ...change },
    { ...nodePrimitives, now },
  )
}

/** Presents the token as DPoP with these proofs, each in a header of its own. RFC 9449 §7.1. */
export async function presentProofs(
  loot: Loot,
  proofs: string[],
  connection: Omit<Connection, 'ca'> = {},
): Promise<Attempt> {
  return await present(loot, connection, { authorization: `DPoP ${loot.token}`, dpop: proofs })
}

/** The same with proofs that are made for it; once more, with the nonce, where the API asks for one. RFC 9449 §9. */
export async function presentMade(
  loot: Loot,
  make: (nonce?: string) => Awaitable<string[]>,
  connection: Omit<Connection, 'ca'> = {},
): Promise<Attempt> {
  const first = await presentProofs(loot, await make(), connection)
  if (first.error !== 'use_dpop_nonce' || first.nonce === undefined) return first
  return await presentProofs(loot, await make(first.nonce), connection)
}
