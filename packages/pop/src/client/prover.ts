import { createBoundedCache } from '../foundation/bounded-cache.ts'
import type { Seconds } from '../foundation/clock.ts'
import { jwkThumbprint } from '../foundation/jwk-thumbprint.ts'
import { normalTargetUri } from '../foundation/target-uri.ts'
import { createDpopProof, type ProofKey, type ProvenRequest } from '../proof/dpop.ts'
import { ClientError } from './client-error.ts'
import type { ClientContext } from './context.ts'

/**
 * Proves one key to servers of one kind, and remembers what each origin said of its nonce and of its clock.
 * RFC 9449 §4, §8, §9.
 */
export interface Prover {
  /** What `cnf.jkt` of this key's tokens says. RFC 7638. */
  readonly thumbprint: () => Promise<string>
  /**
   * Makes a proof for one attempt: with the newest nonce of that origin, by that origin's clock.
   * @throws {@link ClientError} `address_unprovable`
   */
  readonly prove: (request: Omit<ProvenRequest, 'nonce'>) => Promise<Proven>
}

/** A proof for one attempt. */
export interface Proven {
  readonly proof: string
  /**
   * Learns from the answer, a success too.
   * @param error what the answer says against the proof
   * @returns whether another proof may pass where this one did not
   */
  readonly learn: (headers: Headers, error: string | undefined) => boolean
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
  return {
    thumbprint: () => jwkThumbprint(key.jwk, context),
    prove: async (request) => {
      const { href: url, origin, host } = new URL(request.url)
      if (normalTargetUri(url) === undefined) throw new ClientError('address_unprovable', { detail: host })
      const { nonce, ahead = 0 } = origins.find(origin) ?? {}
      const clock = { ...context, now: () => context.now() + ahead }
      return {
        proof: await createDpopProof(key, { ...request, url, nonce }, clock),
        learn: (headers, error) => {
          const next = findNonce(headers)
          const seen = error === 'invalid_dpop_proof' ? findAhead(headers, context.now()) : undefined
          // Compared with what this proof was made by: others that run beside it may have learned since.
          const isSkewed = seen !== undefined && Math.abs(seen - ahead) > tolerance
          const learned = { ...(next !== undefined && { nonce: next }), ...(isSkewed && { ahead: seen }) }
          origins.put(origin, { ...origins.find(origin), ...learned })
          return isSkewed || (error === 'use_dpop_nonce' && next !== undefined)
        },
      }
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
