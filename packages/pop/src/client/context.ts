import type { Clock, Seconds } from '../foundation/clock.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { isSignature } from './web-crypto.ts'

/** The shape of `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** What the client needs from the world around it. */
export interface ClientContext {
  readonly fetch: Fetch
  readonly now: Clock
  /** @returns cryptographically strong bytes */
  readonly random: (length: number) => Uint8Array
  readonly sha256: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>
  /** Says whether a signature is the key's. */
  readonly verify: Primitives['verify']
  readonly wait: (length: Seconds) => Promise<void>
}

/** The context that every platform with web standards has: browsers, workers, Node. */
export function webContext(): ClientContext {
  return {
    fetch: (input, init) => globalThis.fetch(input, init),
    now: () => Math.floor(Date.now() / 1000),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
    verify: isSignature,
    wait: (length) => new Promise((resolve) => setTimeout(resolve, length * 1000)),
  }
}
