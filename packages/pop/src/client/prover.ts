import { encodeBase64url } from '../foundation/base64url.ts'
import { createBoundedCache } from '../foundation/bounded-cache.ts'
import type { Seconds } from '../foundation/clock.ts'
import { thumbprintInput } from '../foundation/jwk.ts'
import { createDpopProof, type ProofKey, type ProvenRequest } from '../proof/dpop.ts'
import type { ClientContext } from './context.ts'

/**
 * Proves one key to servers of one kind, and remembers what each origin said of its nonce and of its clock.
 * RFC 9449 §4, §8, §9.
 */
export interface Prover {
  /** What `cnf.jkt` of this key's tokens says. RFC 7638. */
  readonly thumbprint: () => Promise<string>
  /** Makes a proof for one attempt: with the newest nonce of that origin, by that origin's clock. */
  readonly prove: (request: Omit<ProvenRequest, 'nonce'>) => Promise<string>
  /**
   * Learns from an answer, a success too.
   * @param error what the answer says against the proof
   * @returns whether another proof may pass where this one did not
   */
  readonly learn: (url: string, headers: Headers, error: string | undefined) => boolean
}

interface Known {
  readonly nonce?: string
  /** How far the server's clock is ahead of ours. */
  readonly ahead?: Seconds
}

/** How many origins are remembered. */
const capacity = 512

/** A difference of clocks that does not explain a refusal. */
const tolerance: Seconds = 5

/** RFC 9449 §8.1. */
const nonceForm = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

/** Creates a prover that has learned nothing yet. */
export function createProver(key: ProofKey, context: Pick<ClientContext, 'now' | 'random' | 'sha256'>): Prover {
  const origins = createBoundedCache<Known>(capacity)
  const knownOf = (url: string): Known => origins.find(new URL(url).origin) ?? {}
  return {
    thumbprint: async () => encodeBase64url(await context.sha256(new TextEncoder().encode(thumbprintInput(key.jwk)))),
    prove: (request) => {
      const { nonce, ahead = 0 } = knownOf(request.url)
      return createDpopProof(key, { ...request, nonce }, { ...context, now: () => context.now() + ahead })
    },
    learn: (url, headers, error) => {
      const known = knownOf(url)
      const nonce = findNonce(headers)
      const ahead = error === 'invalid_dpop_proof' ? findAhead(headers, context.now()) : undefined
      const isSkewed = ahead !== undefined && Math.abs(ahead - (known.ahead ?? 0)) > tolerance
      if (nonce !== undefined || isSkewed) {
        origins.put(new URL(url).origin, {
          ...known,
          ...(nonce !== undefined && { nonce }),
          ...(isSkewed && { ahead }),
        })
      }
      return isSkewed || (error === 'use_dpop_nonce' && nonce !== undefined)
    },
  }
}

function findNonce(headers: Headers): string | undefined {
  const nonce = headers.get('dpop-nonce') ?? ''
  return nonceForm.test(nonce) ? nonce : undefined
}

function findAhead(headers: Headers, now: Seconds): Seconds | undefined {
  const date = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) ? undefined : Math.floor(date / 1000) - now
}
