import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeBase64url } from '../foundation/base64url.ts'
import { createBoundedCache } from '../foundation/bounded-cache.ts'
import { nodePrimitives } from '../node/primitives.ts'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import { type DpopPolicy, verifyDpopProof } from './dpop.ts'
import { createDpopNonces } from './dpop-nonce.ts'
import { createMemoryReplay, type Replay, requireFirstUse } from './replay.ts'

/** As `vectors/README.md` says. */
interface Vector {
  readonly id: string
  readonly title: string
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers: { readonly dpop: readonly string[]; readonly authorization?: readonly [string] }
  }
  readonly policy: DpopPolicy
  readonly clock: number
  readonly after?: string
  readonly outcome: 'accepted' | Reason
  readonly thumbprint?: string
}

const file = join(import.meta.dirname, '../../../../vectors/dpop-proofs.json')
const {
  nonceKey,
  nonces: made,
  vectors,
} = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly nonceKey: string
  readonly nonces: Readonly<Record<string, number>>
  readonly vectors: readonly Vector[]
}
const nonces = createDpopNonces(decodeBase64url(nonceKey) ?? new Uint8Array(), nodePrimitives)
/** One for all vectors: a key that has shown itself excuses nothing. */
const keys = createBoundedCache<never>(4096)

describe('RFC 9449 §4.3 the vectors', () => {
  it('are many, and each says another thing', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(120)
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length)
    expect(
      new Set(vectors.map(({ request, after, clock, policy }) => JSON.stringify([request, after, clock, policy]))).size,
    ).toBe(vectors.length)
  })

  it('have every outcome that a proof can have', () => {
    const outcomes = Object.entries(refusals).flatMap(([reason, { rule }]) =>
      reason.startsWith('dpop_') && rule.startsWith('RFC9449-4.3-') ? [reason] : [],
    )
    const seen = new Set(vectors.map(({ outcome }) => outcome))
    expect([...seen].sort()).toEqual(['accepted', 'dpop_replayed', ...outcomes].sort())
  })

  it.each(Object.entries(made))('count %s as made at %i', async (nonce, at) => {
    expect(await nonces.issue(at)).toBe(nonce)
  })

  it.each(vectors.map((vector) => [vector.id, vector.title, vector] as const))('%s: %s', async (_, __, vector) => {
    const replay = createMemoryReplay()
    const before = vectors.find(({ id }) => id === vector.after)
    if (before) expect(await judge(before, replay)).toEqual({ outcome: 'accepted', thumbprint: before.thumbprint })
    expect(await judge(vector, replay)).toEqual({ outcome: vector.outcome, thumbprint: vector.thumbprint })
  })
})

async function judge(
  { request: { method, url, headers }, policy, clock }: Vector,
  replay: Replay,
): Promise<{ readonly outcome: string; readonly thumbprint?: string | undefined }> {
  const context = { now: () => clock, primitives: nodePrimitives, nonces, keys }
  const accessToken = headers.authorization?.[0].slice('DPoP '.length)
  try {
    const { possession, use } = await verifyDpopProof(headers.dpop, { method, url, accessToken }, policy, context)
    await requireFirstUse(use, replay, clock)
    return { outcome: 'accepted', thumbprint: possession.thumbprint }
  } catch (error) {
    if (error instanceof Refused) return { outcome: error.reason }
    throw error
  }
}
